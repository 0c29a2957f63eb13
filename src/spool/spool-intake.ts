import { LandbridgeError } from '../base/errors.ts'
import type { EventHeader } from '../binlog/event-framer.ts'
import { FileScanner } from '../binlog/file-scanner.ts'
import type { GtidEvent } from '../binlog/gtid-event.ts'
import type { SpoolFile } from './spool-file.ts'
import type { SpoolStore } from './spool-store.ts'
import type { ScannedBytes } from './sync-group.ts'
import { TailWriter } from './tail-writer.ts'
import { commitMsOf, TransactionBatch } from './transaction-batch.ts'

/** What is scanned of the bytes that arrive, before any of them is written. */
export class SpoolIntake {
  readonly #store: SpoolStore
  #scanner: FileScanner | null = null
  #scanned: SpoolFile | null = null
  /** What the bytes now being scanned complete. */
  #batch = new TransactionBatch()
  #readAtMs = 0
  #openMs: number | null = null

  constructor(store: SpoolStore) {
    this.#store = store
  }

  /** When the transaction that is not whole yet was committed; null while none is open. */
  get openMs(): number | null {
    return this.#openMs
  }

  /** The next bytes come from where the spool ends. */
  reset(): void {
    this.#scanner = null
    this.#openMs = null
  }

  /** The bytes that follow belong to `name` from `offset` on. Throws ERR_SPOOL_POSITION. */
  file(name: string, offset: number): TailWriter {
    const last = this.#store.catalog.files().at(-1)
    if (offset > 0) {
      const isEnd = last?.name === name && last.bytes === offset
      // Only the first file behind a rewind begins inside; what is queued would be overwritten.
      if (!isEnd || this.#scanner !== null) refusePosition(name, offset)
      return this.#start(last, offset, this.#store.catalog.checksum)
    }
    if (this.#store.catalog.epoch === null) refusePosition(name, offset)
    return this.#start(this.#store.addFile(name), 0, false)
  }

  /** Throws ERR_SPOOL_POSITION unless `offset` is where the current file goes on. */
  requireAt(offset: number): void {
    if (this.#scanner?.offset !== offset) refusePosition(this.#scanned?.name ?? '(none)', offset)
  }

  /** Throws what the scan refuses: nothing behind that may be stored. */
  scan(bytes: Buffer, readAtMs: number, written: (() => void) | undefined): ScannedBytes {
    const scanner = this.#scanner
    if (scanner === null) throw new TypeError('bytes before a file')
    this.#readAtMs = readAtMs
    this.#batch = new TransactionBatch()
    scanner.push(bytes)
    return {
      kind: 'bytes',
      bytes,
      byteLength: bytes.length,
      written,
      boundary: scanner.boundary,
      transactions: this.#batch,
      complete: scanner.complete,
      hasChecksum: scanner.hasChecksum,
      firstTimestamp: scanner.firstTimestamp,
      lastTimestamp: scanner.lastTimestamp,
    }
  }

  #start(file: SpoolFile, offset: number, checksum: boolean): TailWriter {
    const flavor = this.#store.catalog.epoch?.source.flavor
    if (flavor === undefined) throw new TypeError('a file needs an epoch')
    this.#scanned = file
    this.#scanner = new FileScanner(
      flavor,
      { offset, checksum },
      {
        onOpen: (gtid: GtidEvent, header: EventHeader) => {
          this.#openMs = commitMsOf(gtid, header, this.#readAtMs)
        },
        onTransaction: (gtid: GtidEvent, header: EventHeader) => {
          this.#openMs = null
          this.#batch.add(gtid, header, this.#readAtMs)
        },
        onPreviousGtids: () => undefined,
      },
    )
    return new TailWriter(file, offset, this.#store.disk)
  }
}

function refusePosition(name: string, offset: number): never {
  throw new LandbridgeError(
    'ERR_SPOOL_POSITION',
    `the peer sent bytes for ${name} at ${offset}, which is not where the spool ends`,
    { retryable: true, details: { name, offset } },
  )
}
