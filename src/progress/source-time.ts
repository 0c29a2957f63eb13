import type { Clock } from '../base/clock.ts'
import type { ClockReading } from '../base/clock-offset.ts'

/**
 * Puts times of the origin on this gateway's monotonic clock, which no step of a wall clock moves.
 * Two clocks are between: that of the gateway at the origin, known from the link's pings, and that
 * of the database, known at that gateway from what the database answers when asked for its time.
 */
export class SourceTime {
  readonly #clock: Clock
  /** Wall clock of the peer minus own monotonic clock. */
  #peer: ClockReading | null = null
  /** Wall clock of the database minus that of the peer. */
  #database: ClockReading | null = null

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Peer wall clock minus own wall clock, as just measured. True: one of them was stepped. */
  setPeer({ aheadMs, doubtMs }: ClockReading): boolean {
    const ownAheadMs = this.#clock.wallMs() - this.#clock.monotonicMs()
    const before = this.#peer
    this.#peer = { aheadMs: aheadMs + ownAheadMs, doubtMs }
    return contradicts(before, this.#peer)
  }

  /**
   * Null: nobody has measured it; then it counts as that of the peer, of which nothing follows.
   * True: one of the two clocks was stepped.
   */
  setDatabase(reading: ClockReading | null): boolean {
    const before = this.#database
    this.#database = reading
    return contradicts(before, reading)
  }

  /** Null before the link has measured its clocks. */
  ofPeer(atMs: number): number | null {
    return this.#peer === null ? null : atMs - this.#peer.aheadMs
  }

  ofDatabase(atMs: number): number | null {
    return this.ofPeer(atMs - (this.#database?.aheadMs ?? 0))
  }

  /** The earliest that `ofPeer` can be; -Infinity where that is not known. */
  peerProof(atMs: number): number {
    return this.#proof(this.ofPeer(atMs), this.peerDoubtMs)
  }

  databaseProof(atMs: number): number {
    return this.#proof(this.ofDatabase(atMs), this.databaseDoubtMs)
  }

  /** Of the future is only what a stepped clock says: nothing follows from it. */
  #proof(atMs: number | null, doubtMs: number | null): number {
    if (atMs === null || doubtMs === null) return Number.NEGATIVE_INFINITY
    const earliestMs = atMs - doubtMs
    return earliestMs > this.#clock.monotonicMs() ? Number.NEGATIVE_INFINITY : earliestMs
  }

  /** Of `ofPeer`; 0 before anything is known. */
  get peerDoubtMs(): number {
    return this.#peer?.doubtMs ?? 0
  }

  /** Of `ofDatabase`; null where the database's clock is not known. */
  get databaseDoubtMs(): number | null {
    if (this.#peer === null || this.#database === null) return null
    return this.#peer.doubtMs + this.#database.doubtMs
  }
}

function contradicts(before: ClockReading | null, now: ClockReading | null): boolean {
  if (before === null || now === null) return false
  return Math.abs(before.aheadMs - now.aheadMs) > before.doubtMs + now.doubtMs
}
