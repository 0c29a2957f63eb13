import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ignoreMissing } from '../base/atomic-file.ts'
import { isBinlogName } from '../binlog/binlog-name.ts'
import { epochFolder, fileIndexRecord, indexPath } from './spool-file.ts'

/** A stored file that will not change any more; retention may remove it one day. */
export interface ClosedFile {
  readonly epoch: number
  readonly name: string
  readonly path: string
  readonly bytes: number
  readonly transactions: number
  /** GTIDs of everything before the file, and with it. */
  readonly gtidsBefore: string
  readonly gtidsAfter: string
}

/**
 * The closed files of a spool, oldest first. Only reads, takes no lock: also while a gateway
 * writes there. The file that is being written is not among them.
 */
export async function listClosedFiles(directory: string): Promise<ClosedFile[]> {
  const epochs = (await readdir(directory)).filter((name) => /^\d{6}$/.test(name)).map(Number)
  const found: (ClosedFile & { readonly ordinal: number })[] = []
  for (const epoch of epochs) {
    const folder = epochFolder(directory, epoch)
    for (const name of (await readdir(folder)).filter(isBinlogName)) {
      const record = await readRecord(indexPath(directory, epoch, name))
      if (record === null || !record.closed) continue
      const { ordinal, bytes, transactions, gtidsBefore, gtidsAfter } = record
      const path = join(folder, name)
      found.push({ ordinal, epoch, name, path, bytes, transactions, gtidsBefore, gtidsAfter })
    }
  }
  found.sort((a, b) => a.ordinal - b.ordinal)
  return found.map(({ ordinal: _, ...file }) => file)
}

async function readRecord(path: string) {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    ignoreMissing(error)
    return null
  })
  if (text === null) return null
  try {
    return fileIndexRecord.parse(JSON.parse(text))
  } catch {
    // The gateway scans a file whose record is damaged; until then it is not known as closed.
    return null
  }
}
