import { firstCommitMs, type ScannedBytes } from './sync-group.ts'
import type { TailWriter } from './tail-writer.ts'

type QueueItem = { readonly kind: 'file'; readonly tail: TailWriter } | ScannedBytes

/** One writev call takes at most so much. */
const BATCH_BYTES = 4 * 1024 * 1024
const BATCH_BUFFERS_MAX = 512

/** What waits to be written, in order. Whoever fills it bounds it: the link's window. */
export class WriteQueue {
  #items: QueueItem[] = []
  #bytes = 0

  get isEmpty(): boolean {
    return this.#items.length === 0
  }

  /** Bytes that are not synced yet, also those that are written. */
  get bytes(): number {
    return this.#bytes
  }

  /** When the first transaction that waits was committed; null when none does. */
  get firstCommitMs(): number | null {
    const pieces = this.#items.filter((item) => item.kind === 'bytes')
    return firstCommitMs(pieces.map(({ transactions }) => transactions))
  }

  /** The file that what comes next belongs to; null while bytes come next. */
  get nextFile(): TailWriter | null {
    const [first] = this.#items
    return first?.kind === 'file' ? first.tail : null
  }

  /** What comes next, as much as one call writes. */
  batch(): readonly ScannedBytes[] {
    const batch: ScannedBytes[] = []
    let bytes = 0
    for (const item of this.#items) {
      const isFull = bytes >= BATCH_BYTES || batch.length >= BATCH_BUFFERS_MAX
      if (item.kind !== 'bytes' || isFull) break
      batch.push(item)
      bytes += item.byteLength
    }
    return batch
  }

  add(item: QueueItem): void {
    this.#items.push(item)
    if (item.kind === 'bytes') this.#bytes += item.byteLength
  }

  /** These, its first, are done. False when they were dropped meanwhile. */
  done(items: readonly ScannedBytes[]): boolean {
    if (this.#items[0] !== items[0]) return false
    this.#items.splice(0, items.length)
    return true
  }

  /** It was gone on to the next file. */
  fileDone(tail: TailWriter): void {
    if (this.nextFile === tail) this.#items.shift()
  }

  synced(bytes: number): void {
    this.#bytes -= bytes
  }

  /** Drops what waits. */
  clear(): void {
    this.#items = []
  }

  /** Nothing of what came is under way any more. */
  reset(): void {
    this.#items = []
    this.#bytes = 0
  }
}
