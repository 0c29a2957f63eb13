import { EventEmitter, once } from 'node:events'
import { type FileHandle, open } from 'node:fs/promises'
import type {
  ClaimedFile,
  ClaimName,
  LogFile,
  LogLineage,
  LogPlace,
  SourceIdentity,
} from '../../../src/binlog/log.ts'
import type { ReplicaClaims, ServedLog } from '../../../src/relay/served-log.ts'
import type { ReplicaStanding } from '../../../src/status/replica-standing.ts'

export interface StoreContent {
  readonly identity: SourceIdentity
  readonly files: readonly LogFile[]
  /** Bytes of each file, by ordinal. */
  readonly sizes: ReadonlyMap<number, number>
  readonly end: LogPlace
  readonly gtids: string
}

/** A store of what it was last given; it retains nothing, but remembers what it was asked to. */
export class PlainBinlogStore implements ServedLog, ReplicaClaims {
  readonly claims = this
  /** What each epoch stands on; where it is not said, nothing. */
  readonly epochs = new Map<number, string>()
  /** The file that each claim keeps. */
  readonly retained = new Map<ClaimName, string>()
  outdated: readonly string[] = []
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

  standing(id: string): ReplicaStanding {
    return this.outdated.includes(id) ? 'outdated' : 'sound'
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

  hasPlaceFor(): boolean {
    return true
  }

  seniority(replica: string): number {
    const at = [...this.retained.keys()].indexOf(`replica:${replica}`)
    return at < 0 ? Number.POSITIVE_INFINITY : at
  }

  confirm(claim: ClaimName, { ordinal }: ClaimedFile): void {
    const file = this.files().find((candidate) => candidate.ordinal === ordinal)
    if (file !== undefined) this.retained.set(claim, file.name)
  }

  letGo(claim: ClaimName): void {
    this.retained.delete(claim)
  }
}
