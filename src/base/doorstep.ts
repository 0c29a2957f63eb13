import type { Clock } from './clock.ts'

export interface DoorstepLimits {
  /** Connections that have not proved who they are, in all and of one address. */
  readonly guestsMax: number
  readonly guestsPerAddressMax: number
  /** New connections of one address; twice as many at once. */
  readonly arrivalsPerSecondMax: number
  /** From the connection to the proof; nothing that a guest sends makes it longer. */
  readonly guestMs: number
}

/** Why a guest has to go: others need the place, its time is up, its address comes too often. */
export type Dismissal = 'crowded' | 'late' | 'too-often'

export interface DoorstepOptions {
  readonly limits: DoorstepLimits
  readonly clock: Clock
  readonly onDismissed: (why: Dismissal, address: string) => void
}

export interface Guest {
  /** It proved who it is, or has gone. May be called more than once. */
  leave(): void
}

interface Present extends Guest {
  readonly group: string
  readonly address: string
  readonly dismiss: () => void
}

interface Arrivals {
  tokens: number
  atMs: number
}

/** Of so many addresses it is known how often they came; the one not seen for longest goes. */
const GROUPS_MAX = 1024

/**
 * Bounds what connections can cost before they prove who they are. A full doorstep still takes a
 * newcomer: the oldest guest of the address that has most goes for it. So whoever holds many places
 * loses them to whoever needs one, and those who are let in are never touched.
 *
 *     enter ──▶ guest ──leave──▶ let in, or gone
 *       │         └──time up, place needed──▶ dismissed
 *       └──its address comes too often──▶ null
 */
export class Doorstep {
  readonly #options: DoorstepOptions
  /** Oldest first. */
  readonly #guests = new Set<Present>()
  readonly #arrivals = new Map<string, Arrivals>()

  constructor(options: DoorstepOptions) {
    this.#options = options
  }

  get guests(): number {
    return this.#guests.size
  }

  /** `dismiss` has to close the connection at once. */
  enter(address: string, dismiss: () => void): Guest | null {
    const { limits, clock, onDismissed } = this.#options
    const group = groupOf(address)
    if (!this.#mayArrive(group)) {
      onDismissed('too-often', address)
      return null
    }
    this.#makeRoom(group)
    const staying = new AbortController()
    const guest: Present = {
      group,
      address,
      dismiss,
      leave: () => {
        this.#guests.delete(guest)
        staying.abort()
      },
    }
    this.#guests.add(guest)
    clock.sleep(limits.guestMs, { signal: staying.signal }).then(
      () => this.#dismiss(guest, 'late'),
      () => undefined,
    )
    return guest
  }

  /** Everybody goes, since the door closes for good. */
  clear(): void {
    for (const guest of [...this.#guests]) {
      guest.leave()
      guest.dismiss()
    }
  }

  #mayArrive(group: string): boolean {
    const { limits, clock } = this.#options
    const nowMs = clock.monotonicMs()
    const burst = 2 * limits.arrivalsPerSecondMax
    const known = this.#arrivals.get(group) ?? { tokens: burst, atMs: nowMs }
    const gained = ((nowMs - known.atMs) / 1_000) * limits.arrivalsPerSecondMax
    known.tokens = Math.min(burst, known.tokens + gained)
    known.atMs = nowMs
    // Deleted first, so that the order is by last use.
    this.#arrivals.delete(group)
    this.#arrivals.set(group, known)
    const [oldest] = this.#arrivals.keys()
    if (this.#arrivals.size > GROUPS_MAX && oldest !== undefined) this.#arrivals.delete(oldest)
    if (known.tokens < 1) return false
    known.tokens -= 1
    return true
  }

  #makeRoom(group: string): void {
    const { guestsMax, guestsPerAddressMax } = this.#options.limits
    const counts = new Map<string, number>()
    for (const guest of this.#guests) counts.set(guest.group, (counts.get(guest.group) ?? 0) + 1)
    let busiest = group
    if ((counts.get(group) ?? 0) < guestsPerAddressMax) {
      if (this.#guests.size < guestsMax) return
      for (const [other, count] of counts) {
        if (count > (counts.get(busiest) ?? 0)) busiest = other
      }
    }
    for (const guest of this.#guests) {
      if (guest.group !== busiest) continue
      this.#dismiss(guest, 'crowded')
      return
    }
  }

  #dismiss(guest: Present, why: Dismissal): void {
    guest.leave()
    guest.dismiss()
    this.#options.onDismissed(why, guest.address)
  }
}

/** Who has one IPv6 address mostly has 2^64 of them. */
export function groupOf(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/, '')
  if (!plain.includes(':')) return plain
  const [head = '', tail = ''] = plain.replace(/%.*$/, '').split('::')
  const first = head === '' ? [] : head.split(':')
  const last = tail === '' ? [] : tail.split(':')
  const zeros = Array.from({ length: Math.max(0, 8 - first.length - last.length) }, () => '0')
  return [...first, ...zeros, ...last].slice(0, 4).join(':')
}
