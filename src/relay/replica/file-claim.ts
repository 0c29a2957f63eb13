import type { Clock } from '../../base/clock.ts'
import { parseGtidSet } from '../../binlog/gtid-set.ts'
import type { ClaimName, LogFile } from '../../binlog/log.ts'
import { newestReached } from '../dump/newest-reached.ts'
import type { ServedLog } from '../served-log.ts'

export interface FileClaimOptions {
  readonly store: ServedLog
  readonly claim: ClaimName
  readonly clock: Clock
  /** What the replica has applied, as it said itself; null when nobody can ask it. */
  readonly applied: () => string | null
  /** Where nobody can: for how long a file is kept after it was sent. */
  readonly keepSentMs: number
}

interface SentFile {
  readonly file: LogFile
  /** When its end was sent; null while it is being sent. */
  sentMs: number | null
}

/**
 * Which files one replica still needs, told to the store. What was sent is not applied: after a
 * crash a replica asks again from where it has applied. So a file stays needed until the replica is
 * known to have applied all of it; without such knowledge from the start of its dump on.
 */
export class FileClaim {
  readonly #options: FileClaimOptions
  /** Since the start of the dump, oldest first; the last one is being sent. */
  readonly #sent: SentFile[] = []

  constructor(options: FileClaimOptions) {
    this.#options = options
  }

  /** The dump starts with `file`, or goes on to it. */
  reach(file: LogFile): void {
    const before = this.#sent.at(-1)
    if (before !== undefined) before.sentMs = this.#options.clock.monotonicMs()
    this.#sent.push({ file, sentMs: null })
    this.confirm()
  }

  /**
   * Lets go of what is not needed any more, and says that the rest still is. False when the file
   * that is being sent was removed: whoever has it open keeps its bytes on the disk.
   */
  confirm(): boolean {
    const { store, claim, clock, applied, keepSentMs } = this.#options
    const limitMs = clock.monotonicMs() - keepSentMs
    const isKept = ({ sentMs }: SentFile) => sentMs === null || sentMs > limitMs
    this.#sent.splice(0, this.#sent.findIndex(isKept))
    const current = this.#sent.at(-1)?.file
    if (current === undefined) return true
    const gtids = applied()
    if (gtids === null) store.claims.confirm(claim, this.#sent[0]?.file ?? current, current)
    else {
      const needed = this.#firstNotApplied(gtids, current)
      store.claims.confirm(claim, needed)
    }
    return store.readableBytes(current) > 0
  }

  /** The newest file before which everything is applied; it may be older than the dump's start. */
  #firstNotApplied(gtids: string, current: LogFile): LogFile {
    const { store } = this.#options
    const flavor = store.identity()?.flavor
    if (flavor === undefined) return current
    const applied = parseGtidSet(flavor, gtids)
    const files = store.files().filter(({ ordinal }) => ordinal <= current.ordinal)
    const isReached = (file: LogFile) => applied.contains(parseGtidSet(flavor, file.gtidsBefore))
    return newestReached(files, isReached) ?? files[0] ?? current
  }
}
