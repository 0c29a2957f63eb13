import type { Clock } from '../../base/clock.ts'
import type { PingTimes } from '../../base/clock-offset.ts'
import { LandbridgeError } from '../../base/errors.ts'
import { Trouble } from '../../base/trouble.ts'
import { QueueDelay } from '../../progress/queue-delay.ts'
import type { ThrottleLimit } from '../../progress/throttle-limit.ts'
import { YIELD_LOOK_MS, YieldRate, type YieldRateOptions } from '../../progress/yield-rate.ts'
import { problemOf } from '../../status/problem-of.ts'
import type { Problem } from '../../status/status.ts'

/** A connection to a peer beside the one that carries the bytes: pings there wait in no queue. */
export interface PathProbe {
  readonly clockOffset: { readonly lastTimes: PingTimes | null }
  /** Returns when it was sent, on the wall clock. */
  ping(): number
}

export interface YieldWatchOptions {
  readonly config: YieldRateOptions
  /** The peers to which bytes go now. */
  readonly peers: () => readonly string[]
  /** Null: there is none. */
  readonly probe: (peer: string) => PathProbe | null
  readonly usedBytesPerSecond: () => number
  readonly onChange: () => void
  readonly clock: Clock
}

interface Path {
  readonly probe: PathProbe
  readonly delay: QueueDelay
  /** Of the probes that have no answer yet. */
  sentMs: number[]
  seenMs: number
}

const UNANSWERED_MAX = 1_000
/** A link comes up within moments. */
const BLIND_MS_MAX = 5_000

/**
 * Keeps the queue of the tunnel short. The session that carries the stream would measure its own
 * socket's queue; but of each peer there is a second one, which this gateway dialled. Pings there
 * go through the same tunnel and wait only for what waits in it.
 */
export class YieldWatch {
  readonly #options: YieldWatchOptions
  readonly #rate: YieldRate
  readonly #paths = new Map<string, Path>()
  readonly #blind: Trouble
  readonly #startedMs: number
  #queueMs: number | null = null
  #seenMs: number

  constructor(options: YieldWatchOptions) {
    this.#options = options
    this.#rate = new YieldRate(options.config)
    this.#blind = new Trouble(options.clock)
    this.#startedMs = options.clock.wallMs()
    this.#seenMs = options.clock.monotonicMs()
  }

  limit(): ThrottleLimit {
    const { targetMs } = this.#options.config
    const queue = this.#queueMs === null ? 'unknown' : `${this.#queueMs.toFixed(1)} ms`
    return {
      bytesPerSecond: this.#rate.bytesPerSecond,
      by: 'yielding',
      reason: `yields to others in the tunnel: queue ${queue}, wanted ${targetMs} ms`,
      sinceMs: this.#startedMs,
      untilMs: null,
    }
  }

  problems(where: string): Problem[] {
    const { now } = this.#blind
    return now === null ? [] : [problemOf(now, { where, severity: 'warning' })]
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, onChange } = this.#options
    while (!signal.aborted) {
      this.#look()
      onChange()
      await clock.sleep(YIELD_LOOK_MS, { signal }).catch(() => undefined)
    }
  }

  #look(): void {
    const { peers, clock, usedBytesPerSecond } = this.#options
    const now = peers()
    for (const peer of this.#paths.keys()) if (!now.includes(peer)) this.#paths.delete(peer)
    const looks = now.map((peer) => this.#lookAt(peer))
    const nowMs = clock.monotonicMs()
    if (looks.every((look) => look !== null)) {
      this.#seenMs = nowMs
      this.#blind.over()
    } else if (nowMs - this.#seenMs > BLIND_MS_MAX) this.#blind.met(blind(now))
    if (now.length === 0) return
    const worst = looks.some((look) => look === null)
      ? null
      : looks.reduce((most, look) => ((look?.queueMs ?? 0) > (most?.queueMs ?? 0) ? look : most))
    this.#queueMs = worst?.queueMs ?? null
    this.#rate.look({
      nowMs,
      queueMs: this.#queueMs,
      idleRoundTripMs: worst?.idleRoundTripMs ?? 0,
      usedBytesPerSecond: usedBytesPerSecond(),
    })
  }

  /** Null: nothing is known of the way to that peer. */
  #lookAt(peer: string): { readonly queueMs: number; readonly idleRoundTripMs: number } | null {
    const probe = this.#options.probe(peer)
    if (probe === null) {
      this.#paths.delete(peer)
      return null
    }
    let path = this.#paths.get(peer)
    if (path?.probe !== probe) {
      // A session that broke says nothing of the path: what was learned of it counts.
      path = { probe, delay: path?.delay ?? new QueueDelay(), sentMs: [], seenMs: 0 }
      this.#paths.set(peer, path)
    }
    const { delay } = path
    const times = probe.clockOffset.lastTimes
    if (times !== null && times.receivedMs > path.seenMs) {
      path.seenMs = times.receivedMs
      path.sentMs = path.sentMs.filter((sentMs) => sentMs > times.sentMs)
      delay.answered(times)
    }
    const [oldestMs] = path.sentMs
    if (oldestMs !== undefined) delay.unanswered(oldestMs, this.#options.clock.wallMs())
    if (path.sentMs.length < UNANSWERED_MAX) path.sentMs.push(probe.ping())
    const { queueMs, idleRoundTripMs } = delay
    return queueMs === null || idleRoundTripMs === null ? null : { queueMs, idleRoundTripMs }
  }
}

function blind(peers: readonly string[]): LandbridgeError {
  const message =
    `the queue on the way to ${peers.join(', ')} cannot be measured: no session was dialled ` +
    'from here, so the stream goes no faster than `yield.leastBytesPerSecond`'
  return new LandbridgeError('ERR_YIELD_BLIND', message, {
    retryable: true,
    remedy: 'See why the link that this gateway dials does not come up: landbridge status.',
  })
}
