import type { TailWriter } from './tail-writer.ts'
import type { TransactionBatch } from './transaction-batch.ts'

/** A piece of the newest file, with what the scan on its arrival said of the file up to its end. */
export interface ScannedBytes {
  readonly kind: 'bytes'
  /** Not to be touched once `written` was called: its memory may be gone then. */
  readonly bytes: Buffer
  readonly byteLength: number
  readonly written: (() => void) | undefined
  /** The file is whole transactions up to here, this piece included. */
  readonly boundary: number
  /** Those that this piece completed. */
  readonly transactions: TransactionBatch
  readonly complete: boolean
  readonly hasChecksum: boolean
  readonly firstTimestamp: number
  readonly lastTimestamp: number
}

/** What was written to one file and will be published by one fdatasync. */
export class SyncGroup {
  readonly tail: TailWriter
  /** When its first bytes were written. */
  readonly sinceMs: number
  readonly #batches: TransactionBatch[] = []
  #bytes = 0
  #last: ScannedBytes

  constructor(tail: TailWriter, first: ScannedBytes, sinceMs: number) {
    this.tail = tail
    this.sinceMs = sinceMs
    this.#last = this.add(first)
  }

  get bytes(): number {
    return this.#bytes
  }

  /** When the first of its transactions was committed; null: it has none. */
  get firstCommitMs(): number | null {
    return firstCommitMs(this.#batches)
  }

  get batches(): readonly TransactionBatch[] {
    return this.#batches
  }

  /** State of the file behind the last written piece. */
  get last(): ScannedBytes {
    return this.#last
  }

  add(item: ScannedBytes): ScannedBytes {
    this.#last = item
    this.#bytes += item.byteLength
    this.#batches.push(item.transactions)
    return item
  }
}

/** Of the first transaction of these; null when they have none. */
export function firstCommitMs(batches: Iterable<TransactionBatch>): number | null {
  for (const { commitMs } of batches) {
    const [first] = commitMs
    if (first !== undefined) return first
  }
  return null
}
