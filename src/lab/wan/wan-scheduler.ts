import type { WanDirection, WanSettings } from './wan-settings.ts'

export type WanVerdict = 'now' | 'queued' | 'cut' | 'blackhole' | 'size' | 'loss' | 'queue'

export interface WanCounters {
  forwarded: number
  forwardedBytes: number
  dropped: number
}

interface Waiting<T> {
  readonly atMs: number
  readonly bytes: number
  readonly packet: T
}

interface Lane<T> {
  /** Sorted by atMs from `head` on; what is before `head` was taken. */
  waiting: Waiting<T>[]
  head: number
  waitingBytes: number
  /** When the last packet has left the rate limiter. */
  busyUntilMs: number
  /** When the last packet arrives at the other side; keeps order under jitter. */
  lastArrivalMs: number
  readonly counters: WanCounters
}

/** What may be on its way in one direction, whatever delay and rate say. */
const IN_FLIGHT_BYTES_MAX = 64 * 1024 * 1024

/**
 * Decides what happens to each packet and when it leaves: pure, time and chance come in. A packet
 * first waits for its turn at the rate (bounded queue, tail drop), then travels for the delay.
 */
export class WanScheduler<T> {
  readonly #random: () => number
  readonly #lanes: Record<WanDirection, Lane<T>> = { 'a-to-b': newLane(), 'b-to-a': newLane() }
  #settings: WanSettings

  constructor(options: { readonly settings: WanSettings; readonly random: () => number }) {
    this.#settings = options.settings
    this.#random = options.random
  }

  get settings(): WanSettings {
    return this.#settings
  }

  /** Packets already on their way keep their time, unless the line is cut: then they are lost. */
  update(changes: Partial<WanSettings>): void {
    this.#settings = { ...this.#settings, ...changes }
    if (!this.#settings.cut) return
    for (const lane of Object.values(this.#lanes)) {
      lane.counters.dropped += lane.waiting.length - lane.head
      clearLane(lane)
    }
  }

  /** 'now': the caller sends it. 'queued': `take` hands it out. Anything else: it is lost. */
  offer(direction: WanDirection, packet: T, bytes: number, nowMs: number): WanVerdict {
    const lane = this.#lanes[direction]
    const lost = this.#lostTo(direction, lane, bytes, nowMs)
    if (lost !== null) {
      lane.counters.dropped += 1
      return lost
    }
    const atMs = this.#arrivalMs(lane, bytes, nowMs)
    if (atMs <= nowMs && lane.waiting.length === lane.head) {
      this.#count(lane, bytes)
      return 'now'
    }
    insert(lane, { atMs, bytes, packet })
    return 'queued'
  }

  /** What is due, in order of time. */
  take(direction: WanDirection, nowMs: number): T[] {
    const lane = this.#lanes[direction]
    const due: T[] = []
    for (let next = lane.waiting[lane.head]; next !== undefined && next.atMs <= nowMs; ) {
      due.push(next.packet)
      lane.head += 1
      lane.waitingBytes -= next.bytes
      this.#count(lane, next.bytes)
      next = lane.waiting[lane.head]
    }
    if (lane.head === lane.waiting.length || lane.head > 4096) {
      lane.waiting = lane.waiting.slice(lane.head)
      lane.head = 0
    }
    return due
  }

  nextAtMs(): number | null {
    let nextMs: number | null = null
    for (const lane of Object.values(this.#lanes)) {
      const first = lane.waiting[lane.head]
      if (first !== undefined && (nextMs === null || first.atMs < nextMs)) nextMs = first.atMs
    }
    return nextMs
  }

  counters(direction: WanDirection): Readonly<WanCounters> {
    return { ...this.#lanes[direction].counters }
  }

  #lostTo(direction: WanDirection, lane: Lane<T>, bytes: number, nowMs: number) {
    const settings = this.#settings
    if (settings.cut) return 'cut'
    if (settings.blackhole === direction) return 'blackhole'
    if (settings.dropAboveBytes !== null && bytes > settings.dropAboveBytes) return 'size'
    if (settings.lossPercent > 0 && this.#random() * 100 < settings.lossPercent) return 'loss'
    if (lane.waitingBytes + bytes > IN_FLIGHT_BYTES_MAX) return 'queue'
    if (settings.rateBps === null) return null
    const queuedBytes = (Math.max(0, lane.busyUntilMs - nowMs) * settings.rateBps) / 8_000
    return queuedBytes + bytes > settings.queueBytesMax ? 'queue' : null
  }

  #arrivalMs(lane: Lane<T>, bytes: number, nowMs: number): number {
    const settings = this.#settings
    let atMs = nowMs
    if (settings.rateBps !== null) {
      atMs = Math.max(nowMs, lane.busyUntilMs) + (bytes * 8_000) / settings.rateBps
      lane.busyUntilMs = atMs
    }
    if (settings.reorderPercent > 0 && this.#random() * 100 < settings.reorderPercent) return atMs
    const jitterMs = settings.jitterMs === 0 ? 0 : (this.#random() * 2 - 1) * settings.jitterMs
    atMs = Math.max(atMs + Math.max(0, settings.delayMs + jitterMs), lane.lastArrivalMs)
    lane.lastArrivalMs = atMs
    return atMs
  }

  #count(lane: Lane<T>, bytes: number): void {
    lane.counters.forwarded += 1
    lane.counters.forwardedBytes += bytes
  }
}

function newLane<T>(): Lane<T> {
  const counters = { forwarded: 0, forwardedBytes: 0, dropped: 0 }
  return { waiting: [], head: 0, waitingBytes: 0, busyUntilMs: 0, lastArrivalMs: 0, counters }
}

function clearLane<T>(lane: Lane<T>): void {
  Object.assign(lane, { waiting: [], head: 0, waitingBytes: 0, busyUntilMs: 0, lastArrivalMs: 0 })
}

/** Nearly always at the end: only reordered packets and a shortened delay go further forward. */
function insert<T>(lane: Lane<T>, entry: Waiting<T>): void {
  let at = lane.waiting.length
  while (at > lane.head) {
    const before = lane.waiting[at - 1]
    if (before === undefined || before.atMs <= entry.atMs) break
    at -= 1
  }
  if (at === lane.waiting.length) lane.waiting.push(entry)
  else lane.waiting.splice(at, 0, entry)
  lane.waitingBytes += entry.bytes
}
