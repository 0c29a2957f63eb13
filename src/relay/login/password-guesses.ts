import type { Clock } from '../../base/clock.ts'
import { groupOf } from '../../base/doorstep.ts'

/** A person mistypes, a configuration is changed in two steps: that costs nothing. */
const FREE_GUESSES = 3
const FIRST_MS = 200
const CAP_MS = 5_000
/** An address that guesses no more is a stranger again after so long. */
const FORGET_MS = 10 * 60_000
const ADDRESSES_MAX = 1024

/**
 * How long a wrong password waits for its answer: longer with each one of the same address. A right
 * one never waits, so nobody can lock the replica out.
 */
export class PasswordGuesses {
  readonly #clock: Clock
  /** By last use, oldest first. */
  readonly #wrong = new Map<string, { readonly count: number; readonly atMs: number }>()

  constructor(options: { readonly clock: Clock }) {
    this.#clock = options.clock
  }

  /** Notes a wrong password and returns the wait. */
  wrongMs(address: string): number {
    const nowMs = this.#clock.monotonicMs()
    const key = groupOf(address)
    const known = this.#wrong.get(key)
    const before = known !== undefined && nowMs - known.atMs < FORGET_MS ? known.count : 0
    this.#wrong.delete(key)
    this.#wrong.set(key, { count: before + 1, atMs: nowMs })
    const [oldest] = this.#wrong.keys()
    if (this.#wrong.size > ADDRESSES_MAX && oldest !== undefined) this.#wrong.delete(oldest)
    if (before < FREE_GUESSES) return 0
    return Math.min(CAP_MS, FIRST_MS * 2 ** Math.min(before - FREE_GUESSES, 30))
  }

  right(address: string): void {
    this.#wrong.delete(groupOf(address))
  }
}
