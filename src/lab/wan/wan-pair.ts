import type { Passed, WanSite, WanSitePair } from './wan-kernel-path.ts'
import { WanScheduler } from './wan-scheduler.ts'
import { isClear, type WanDirection, type WanSettings } from './wan-settings.ts'

export interface WanPairOptions {
  readonly sites: WanSitePair
  readonly settings: WanSettings
  /** Sends a packet on, as if `from` had sent it. */
  readonly send: (packet: Buffer, from: WanSite, to: WanSite) => void
}

export interface WanPairReport {
  readonly between: readonly [WanSite['site'], WanSite['site']]
  readonly settings: WanSettings
  /** Who passes the packets at the moment. */
  readonly path: 'kernel' | 'relay'
  readonly directions: Record<WanDirection, { packets: number; bytes: number; dropped: number }>
}

const DIRECTIONS = ['a-to-b', 'b-to-a'] as const

/** The WAN between two sites: what is done to their packets, and what has passed. */
export class WanPair {
  readonly #options: WanPairOptions
  readonly #scheduler: WanScheduler<Buffer>
  readonly #passed = { 'a-to-b': { packets: 0, bytes: 0 }, 'b-to-a': { packets: 0, bytes: 0 } }
  #timer: NodeJS.Timeout | undefined
  #timerAtMs = Number.POSITIVE_INFINITY

  constructor(options: WanPairOptions) {
    this.#options = options
    this.#scheduler = new WanScheduler({ settings: options.settings, random: Math.random })
  }

  get sites(): WanSitePair {
    return this.#options.sites
  }

  /** True when the kernel may pass the packets. */
  get isClear(): boolean {
    return isClear(this.#scheduler.settings)
  }

  isBetween(one: string, other: string): boolean {
    const sites = this.sites.map(({ site }) => site as string)
    return sites.includes(one) && sites.includes(other)
  }

  update(changes: Partial<WanSettings>): void {
    this.#scheduler.update(changes)
  }

  take(packet: Buffer, from: WanSite): void {
    const nowMs = performance.now()
    const direction = from === this.sites[0] ? 'a-to-b' : 'b-to-a'
    const verdict = this.#scheduler.offer(direction, packet, packet.length, nowMs)
    if (verdict === 'now') this.#send(direction, packet)
    else if (verdict === 'queued') this.#arm(nowMs)
  }

  stop(): void {
    clearTimeout(this.#timer)
  }

  /** Adds what the kernel has passed until its counters go. */
  count(kernel: Kernel): void {
    for (const direction of DIRECTIONS) {
      const { packets, bytes } = this.#byKernel(direction, kernel)
      this.#passed[direction].packets += packets
      this.#passed[direction].bytes += bytes
    }
  }

  /** `kernel`: null while it does not pass the packets. */
  report(kernel: Kernel | null): WanPairReport {
    const of = (direction: WanDirection) => {
      const relayed = this.#scheduler.counters(direction)
      const passed = this.#passed[direction]
      const now = kernel === null ? { packets: 0, bytes: 0 } : this.#byKernel(direction, kernel)
      return {
        packets: relayed.forwarded + passed.packets + now.packets,
        bytes: relayed.forwardedBytes + passed.bytes + now.bytes,
        dropped: relayed.dropped,
      }
    }
    const [a, b] = this.sites
    return {
      between: [a.site, b.site],
      settings: this.#scheduler.settings,
      path: kernel === null ? 'relay' : 'kernel',
      directions: { 'a-to-b': of('a-to-b'), 'b-to-a': of('b-to-a') },
    }
  }

  #byKernel(direction: WanDirection, kernel: Kernel): Passed {
    const [from, to] = this.#ends(direction)
    return kernel(from.site, to.site)
  }

  #ends(direction: WanDirection): WanSitePair {
    const [a, b] = this.sites
    return direction === 'a-to-b' ? [a, b] : [b, a]
  }

  #send(direction: WanDirection, packet: Buffer): void {
    const [from, to] = this.#ends(direction)
    this.#options.send(packet, from, to)
  }

  #arm(nowMs: number): void {
    const atMs = this.#scheduler.nextAtMs()
    if (atMs === null || atMs >= this.#timerAtMs) return
    clearTimeout(this.#timer)
    this.#timerAtMs = atMs
    this.#timer = setTimeout(() => this.#release(), Math.max(0, atMs - nowMs))
  }

  #release(): void {
    this.#timerAtMs = Number.POSITIVE_INFINITY
    // Node's timers count whole milliseconds: what is due within half of one goes along.
    const nowMs = performance.now() + 0.5
    for (const direction of DIRECTIONS) {
      for (const packet of this.#scheduler.take(direction, nowMs)) this.#send(direction, packet)
    }
    this.#arm(performance.now())
  }
}

/** What the kernel says to have passed from one site to another. */
type Kernel = (from: WanSite['site'], to: WanSite['site']) => Passed
