import { EventEmitter, once } from 'node:events'
import { type FileHandle, open } from 'node:fs/promises'
import type { LogFile, LogLineage, LogPlace, SourceIdentity } from '../../../src/binlog/log.ts'
import type { ServedLog } from '../../../src/relay/served-log.ts'
import { RecordedClaims } from './recorded-claims.ts'

export interface StoreContent {
  readonly identity: SourceIdentity
  readonly files: readonly LogFile[]
  /** Bytes of each file, by ordinal. */
  readonly sizes: ReadonlyMap<number, number>
  readonly end: LogPlace
  readonly gtids: string
}

/** A store of what it was last given. */
export class PlainBinlogStore implements ServedLog {
  readonly claims = new RecordedClaims(() => this.files())
  /** What each epoch stands on; where it is not said, nothing. */
  readonly epochs = new Map<number, string>()
  currentLineage: LogLineage | null = null
  /** Files before this ordinal are taken for removed. */
  firstOrdinal = 1
  #content: StoreContent | null = null
  readonly #changed = new EventEmitter()

  constructor() {
    this.#changed.setMaxListeners(0)
  }

  protected replace(content: StoreContent): void {
    this.#content = content
    this.#changed.emit('change')
  }

  identity(): SourceIdentity | null {
    return this.#content?.identity ?? null
  }

  lineage(): LogLineage | null {
    return this.currentLineage
  }

  files(): readonly LogFile[] {
    return (this.#content?.files ?? []).filter(({ ordinal }) => ordinal >= this.firstOrdinal)
  }

  end(): LogPlace | null {
    return this.#content?.end ?? null
  }

  readableBytes(file: LogFile): number {
    const { end, sizes } = this.#content ?? {}
    if (file.ordinal < this.firstOrdinal) return 0
    return end?.ordinal === file.ordinal ? end.offset : (sizes?.get(file.ordinal) ?? 0)
  }

  gtids(): string {
    return this.#content?.gtids ?? ''
  }

  gtidsBeforeEpoch(epoch: number): string {
    return this.epochs.get(epoch) ?? ''
  }

  purgedGtids(): string {
    return this.files()[0]?.gtidsBefore ?? ''
  }

  open(file: LogFile): Promise<FileHandle> {
    return open(file.path, 'r')
  }

  async waitPast(position: LogPlace, options: { readonly signal: AbortSignal }): Promise<void> {
    for (;;) {
      const end = this.end()
      if (end !== null && end.ordinal > position.ordinal) return
      if (end?.ordinal === position.ordinal && end.offset > position.offset) return
      await once(this.#changed, 'change', options)
    }
  }
}
