import type { Clock } from '../../base/clock.ts'
import { describeError, errorFields } from '../../base/errors.ts'
import type { Log } from '../../base/log.ts'
import { runTogether } from '../../base/tasks.ts'
import { Trouble } from '../../base/trouble.ts'
import { Turns } from '../../base/turns.ts'
import { Throttle, type ThrottleGrain } from '../../progress/throttle.ts'
import { lowestLimit, type ThrottleLimit, throttleStatus } from '../../progress/throttle-limit.ts'
import {
  limitsOfOrders,
  NO_ORDERS,
  standingOrders,
  type ThrottleOrders,
} from '../../progress/throttle-orders.ts'
import { ThrottleSchedule } from '../../progress/throttle-schedule.ts'
import type { ThrottleConfig } from '../../progress/throttle-section.ts'
import type { SourceAddress } from '../../source/source-connection.ts'
import { problemOf } from '../../status/problem-of.ts'
import type { Problem, ThrottleStatus } from '../../status/status.ts'
import { BrakeWatch } from './brake-watch.ts'
import { loadOrders, type OrderPlace, saveOrders } from './order-file.ts'
import { type PathProbe, YieldWatch } from './yield-watch.ts'

export interface StreamThrottleOptions extends OrderPlace {
  readonly config: ThrottleConfig
  /** Of the source: for a brake that is a query. */
  readonly address: SourceAddress
  /** The peers to which bytes go now. */
  readonly peers: () => readonly string[]
  /** The session with a peer that carries nothing of ours; null: there is none. */
  readonly probe: (peer: string) => PathProbe | null
  readonly waitingBytes: () => number
  readonly clock: Clock
  readonly log: Log
}

/** How an order was taken. */
export interface OrderTaken {
  /** Null: it survives a restart; else why it may not. */
  readonly notStored: string | null
}

const LOOK_MS = 1_000
/** What yields sends small pieces evenly, hardly a packet: a burst is the queue that it avoids. */
const FINE: ThrottleGrain = { burstMs: 30, pieceMs: 5, pieceBytesMin: 1_200 }

/**
 * What holds back a stream at its origin, all copies together: asks everybody who may limit it, and
 * lets the lowest limit hold. Until its orders are read from disk nothing passes.
 */
export class StreamThrottle {
  readonly bucket: Throttle
  readonly #options: StreamThrottleOptions
  readonly #schedule: ThrottleSchedule
  readonly #brake: BrakeWatch | null
  readonly #yield: YieldWatch | null
  readonly #startedMs: number
  readonly #fileTrouble: Trouble
  readonly #loaded = Promise.withResolvers<void>()
  readonly #turns = new Turns()
  #isLoaded = false
  #orders: ThrottleOrders = NO_ORDERS
  #holder = ''

  constructor(options: StreamThrottleOptions) {
    const { config, clock, address, peers, probe } = options
    this.#options = options
    this.bucket = new Throttle({ bytesPerSecond: 0, clock })
    this.#schedule = new ThrottleSchedule(config.schedule)
    const onChange = (): void => this.#decide()
    const brake = config.brake
    this.#brake = brake && new BrakeWatch({ config: brake, address, onChange, clock })
    const usedBytesPerSecond = () => this.bucket.measured(1_000)
    const yields = config.yield
    this.#yield =
      yields &&
      new YieldWatch({ config: yields, peers, probe, usedBytesPerSecond, onChange, clock })
    this.#startedMs = clock.wallMs()
    this.#fileTrouble = new Trouble(clock)
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options
    try {
      this.#orders = await loadOrders(this.#options)
    } catch (error) {
      this.#fileTrouble.met(error)
      log.error(errorFields(error), describeError(error))
    }
    this.#isLoaded = true
    this.#loaded.resolve()
    const looking = async (): Promise<void> => {
      while (!signal.aborted) {
        this.#decide()
        await clock.sleep(LOOK_MS, { signal }).catch(() => undefined)
      }
    }
    await runTogether([{ run: looking }, this.#brake, this.#yield], signal)
  }

  /** All that hold it, the lowest first. */
  limits(): readonly ThrottleLimit[] {
    const nowMs = this.#options.clock.wallMs()
    const all = [
      ...this.#configured(),
      ...this.#schedule.limitsAt(nowMs),
      ...limitsOfOrders(this.#orders, nowMs),
    ]
    const brakes = this.#brake?.limit() ?? null
    if (brakes !== null) all.push(brakes)
    if (this.#yield !== null) all.push(this.#yield.limit())
    return all.sort((a, b) => (lowestLimit([a, b]) === a ? -1 : 1))
  }

  orders(): ThrottleOrders {
    return standingOrders(this.#orders, this.#options.clock.wallMs())
  }

  status(): ThrottleStatus {
    return throttleStatus(this.limits()[0] ?? null, {
      measuredBytesPerSecond: Math.round(this.bucket.measured()),
      waitingBytes: this.#options.waitingBytes(),
    })
  }

  problems(): Problem[] {
    const where = `stream:${this.#options.stream}`
    const { now } = this.#fileTrouble
    return [
      ...(now === null ? [] : [problemOf(now, { where, severity: 'warning' } as const)]),
      ...(this.#brake?.problems(where) ?? []),
      ...(this.#yield?.problems(where) ?? []),
    ]
  }

  /** Takes effect at once, also where it cannot be stored. */
  async order(change: (orders: ThrottleOrders) => ThrottleOrders): Promise<OrderTaken> {
    await this.#loaded.promise
    this.#orders = change(this.orders())
    this.#decide()
    const release = await this.#turns.take()
    try {
      await saveOrders(this.#options, this.#orders)
      this.#fileTrouble.over()
      return { notStored: null }
    } catch (error) {
      this.#fileTrouble.met(error)
      return { notStored: describeError(error) }
    } finally {
      release()
    }
  }

  #configured(): ThrottleLimit[] {
    const { bytesPerSecond } = this.#options.config
    if (bytesPerSecond === null) return []
    const reason = 'throttle.bytesPerSecond of the configuration'
    const span = { sinceMs: this.#startedMs, untilMs: null }
    return [{ bytesPerSecond, by: 'configuration', reason, ...span }]
  }

  #decide(): void {
    if (!this.#isLoaded) return
    const [limit = null] = this.limits()
    const grain = limit?.by === 'yielding' ? FINE : undefined
    this.bucket.setRate(limit?.bytesPerSecond ?? null, grain)
    const isPaused = limit?.bytesPerSecond === 0
    const holder = limit === null ? '' : `${limit.by}${isPaused ? ', paused' : ''}`
    if (holder === this.#holder) return
    this.#holder = holder
    const { bytesPerSecond = null, by = null, reason = null } = limit ?? {}
    const message = limit === null ? 'throttle: nothing holds it back' : `throttle: ${limit.reason}`
    this.#options.log.info({ bytesPerSecond, by, reason }, message)
  }
}
