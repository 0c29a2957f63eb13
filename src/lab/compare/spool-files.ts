import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { codeOf } from '../../base/errors.ts'

/** Folders of a spool's epochs, the newest last; binlog files are in them. */
export async function epochFolders(spoolDirectory: string): Promise<string[]> {
  try {
    const epochs = (await readdir(spoolDirectory)).filter((name) => /^\d{6}$/.test(name)).sort()
    return epochs.map((name) => join(spoolDirectory, name))
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return []
    throw error
  }
}

/** Folder of the newest epoch of a spool; null while there is none. */
export async function newestEpochFolder(spoolDirectory: string): Promise<string | null> {
  return (await epochFolders(spoolDirectory)).at(-1) ?? null
}

/** Where an epoch began in its source's files: with the oldest, or where the one before ended. */
export async function epochBeginning(folder: string): Promise<'oldest file' | 'behind another'> {
  const record: unknown = JSON.parse(await readFile(join(folder, 'epoch.json'), 'utf8'))
  const { epoch, breaksLineage } = record as { epoch?: unknown; breaksLineage?: unknown }
  return epoch === 1 || breaksLineage === true ? 'oldest file' : 'behind another'
}
