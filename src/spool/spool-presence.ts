import { join } from 'node:path'
import { ignoreMissing } from '../base/atomic-file.ts'
import { LandbridgeError } from '../base/errors.ts'
import { type EpochRecord, epochFolder, epochRecord } from './spool-file.ts'
import { listEpochs, readJson, type SpoolPlace } from './spool-records.ts'

/** What is remembered of a spool outside of it. */
export interface KnownSpool {
  /** The newest epoch that held a byte; null when there was one, and nobody knows which. */
  readonly epoch: Pick<EpochRecord, 'epoch' | 'startedAtMs'> | null
  /** The file that remembers it. */
  readonly path: string
}

/**
 * The empty folder below a disk that is not mounted looks like a spool that is to begin: it would
 * take what the source still has, and serve it, while all of before is out of sight. Called before
 * anything is changed or made. Throws ERR_SPOOL_ABSENT.
 */
export async function refuseAbsent(spool: SpoolPlace, known: KnownSpool): Promise<void> {
  const { directory, disk } = spool
  const epochs = (await listEpochs(spool).catch(ignoreMissing)) ?? []
  if (epochs.length === 0)
    throw absent(`${directory} is empty, but a spool was there`, spool, known)
  if (known.epoch === null) return
  const { epoch, startedAtMs } = known.epoch
  const path = join(epochFolder(directory, epoch), 'epoch.json')
  const found = await readJson(disk, path, epochRecord)
  // One that is damaged is named when the spool is read.
  const isSame = found === null ? epochs.includes(epoch) : found.startedAtMs === startedAtMs
  if (!isSame) throw absent(`${directory} holds another spool than before`, spool, known)
}

function absent(what: string, { directory }: SpoolPlace, { path }: KnownSpool): LandbridgeError {
  return new LandbridgeError('ERR_SPOOL_ABSENT', what, {
    remedy:
      `Mount its disk (findmnt -T ${directory}), or put the folder back: the gateway goes on by ` +
      `itself. If that spool is lost, or this one is to count from now on: remove ${path}. ` +
      'It then begins with what the source still has.',
    details: { directory, path },
  })
}
