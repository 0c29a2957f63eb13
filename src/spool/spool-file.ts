import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { z } from 'zod'
import { CompactText } from '../base/compact-text.ts'

const count = z.number().int().nonnegative()

const epochSource = z.object({
  flavor: z.enum(['mysql', 'mariadb']),
  serverVersion: z.string(),
  serverId: count,
  serverUuid: z.string().nullable(),
  gtidDomainId: count.nullable(),
})

export const epochRecord = z.object({
  format: z.literal(1),
  epoch: count,
  source: epochSource,
  /** Why this epoch began, for people. */
  reason: z.string(),
  startedAtMs: z.number(),
  /** What the epoch's first transaction stands on. */
  gtidsBefore: z.string().default(''),
  /** It does not stand on the epochs before it: the source was reset and began to count anew. */
  breaksLineage: z.boolean().default(false),
})

/** Who wrote the bytes of an epoch: kept in `epoch.json`, compared on every resume. */
export type EpochSource = Readonly<z.infer<typeof epochSource>>
export type EpochRecord = Readonly<z.infer<typeof epochRecord>>

/** What is held, as the sender needs it to go on. */
export interface HeldPoint {
  readonly epoch: number
  readonly source: EpochSource
  readonly file: string
  readonly offset: number
  /** The source closed `file`: the next byte belongs to the file after it. */
  readonly complete: boolean
  readonly gtids: string
  /** Of the first event of `file` and of the newest one held: seconds since 1970 there. */
  readonly firstTimestamp: number
  readonly lastTimestamp: number
}

/** What grows with a file. */
export interface FileFigures {
  /** Synced bytes up to the end of a whole transaction. */
  readonly bytes: number
  /** The source ended the file with a rotate or stop event. */
  readonly complete: boolean
  readonly transactions: number
  /** Seconds since 1970 of the first and last event; 0 while there is none. */
  readonly firstTimestamp: number
  readonly lastTimestamp: number
}

export interface SpoolFileFacts extends FileFigures {
  readonly ordinal: number
  readonly epoch: number
  readonly name: string
  readonly path: string
  readonly gtidsBefore: string
}

/** What is known of one stored file at one moment. It never changes; a file that grows has more. */
export class SpoolFile implements FileFigures {
  readonly ordinal: number
  readonly epoch: number
  readonly name: string
  readonly path: string
  readonly bytes: number
  readonly complete: boolean
  readonly transactions: number
  readonly firstTimestamp: number
  readonly lastTimestamp: number
  readonly #gtidsBefore: CompactText

  constructor(facts: Omit<SpoolFileFacts, 'gtidsBefore'>, gtidsBefore: CompactText | string) {
    this.ordinal = facts.ordinal
    this.epoch = facts.epoch
    this.name = facts.name
    this.path = facts.path
    this.bytes = facts.bytes
    this.complete = facts.complete
    this.transactions = facts.transactions
    this.firstTimestamp = facts.firstTimestamp
    this.lastTimestamp = facts.lastTimestamp
    const isText = typeof gtidsBefore === 'string'
    this.#gtidsBefore = isText ? new CompactText(gtidsBefore) : gtidsBefore
  }

  /** Known once everything before the file is synced. Made anew each time: to be asked rarely. */
  get gtidsBefore(): string {
    return this.#gtidsBefore.toString()
  }

  grown(figures: FileFigures): SpoolFile {
    return new SpoolFile({ ...this, ...figures }, this.#gtidsBefore)
  }

  standingOn(gtidsBefore: string): SpoolFile {
    return new SpoolFile(this, gtidsBefore)
  }
}

/** One of which nothing is synced yet. */
export function beginFile(
  directory: string,
  file: Pick<SpoolFileFacts, 'ordinal' | 'epoch' | 'name' | 'gtidsBefore'>,
): SpoolFile {
  const path = join(epochFolder(directory, file.epoch), file.name)
  const figures = { bytes: 0, complete: false, transactions: 0 }
  const facts = { ...file, path, ...figures, firstTimestamp: 0, lastTimestamp: 0 }
  return new SpoolFile(facts, file.gtidsBefore)
}

/** `index/NAME.json`: everything that scanning the file would yield, so that it need not be. */
export const fileIndexRecord = z.object({
  format: z.literal(1),
  name: z.string(),
  ordinal: z.number().int().positive(),
  bytes: count,
  complete: z.boolean(),
  gtidsBefore: z.string(),
  gtidsAfter: z.string(),
  transactions: count,
  firstTimestamp: count,
  lastTimestamp: count,
  /** Whether events behind `bytes` carry a CRC32. */
  checksum: z.boolean(),
  /** A newer file exists: this one will not grow. Otherwise the record is a checkpoint. */
  closed: z.boolean(),
})
export type FileIndexRecord = Readonly<z.infer<typeof fileIndexRecord>>

/** What a record says of its file. */
export function fileOfRecord(
  record: FileIndexRecord,
  epoch: number,
  path: string,
  ordinal = record.ordinal,
): SpoolFile {
  return new SpoolFile({ ...record, epoch, path, ordinal }, record.gtidsBefore)
}

export function epochFolder(directory: string, epoch: number): string {
  return join(directory, String(epoch).padStart(6, '0'))
}

/** Whether a folder in a spool's directory is one of an epoch. */
export function isEpochFolder(name: string): boolean {
  return /^\d{6,}$/.test(name)
}

export function indexPath(directory: string, epoch: number, name: string): string {
  return join(epochFolder(directory, epoch), 'index', `${recordName(name)}.json`)
}

/** With what is put behind it while it is replaced it must stay a name that a file may have. */
const RECORD_NAME_BYTES_MAX = 120

/** What the index record of a binlog file is called, without `.json`; of itself: itself. */
export function recordName(name: string): string {
  if (Buffer.byteLength(name) <= RECORD_NAME_BYTES_MAX) return name
  const digest = createHash('sha256').update(name).digest('hex')
  return `sha256-${digest}${name.slice(name.lastIndexOf('.'))}`
}
