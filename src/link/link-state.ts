import type { Clock } from '../base/clock.ts'
import { describeError, errorFields } from '../base/errors.ts'
import type { LinkStatus } from '../progress/status.ts'
import type { Channel } from './channel.ts'

/**
 * What status says of the link, the same at both ends.
 *
 *     down ──socket open──▶ greeting ──both hellos──▶ up ──any failure──▶ down
 */
export class LinkState {
  readonly #peer: string
  readonly #clock: Clock
  #state: LinkStatus['state'] = 'down'
  #sinceMs: number | null = null
  #channel: Channel | null = null
  #sessions = 0
  #earlierReceivedBytes = 0
  #earlierSentBytes = 0
  #lastError: LinkStatus['lastError'] = null

  constructor(peer: string, clock: Clock) {
    this.#peer = peer
    this.#clock = clock
  }

  get channel(): Channel | null {
    return this.#state === 'up' ? this.#channel : null
  }

  /** Waits for the peer: why it could not wait before is over. */
  listening(): void {
    if (this.#state === 'down') this.#lastError = null
  }

  greeting(): void {
    this.#set('greeting')
  }

  up(channel: Channel): void {
    this.#channel = channel
    this.#sessions += 1
    this.#lastError = null
    this.#set('up')
  }

  down(error: unknown): void {
    this.#earlierReceivedBytes += this.#channel?.receivedBytes ?? 0
    this.#earlierSentBytes += this.#channel?.sentBytes ?? 0
    this.#channel = null
    this.#lastError = {
      ...errorFields(error),
      message: describeError(error),
      atMs: this.#clock.wallMs(),
    }
    this.#set('down')
  }

  status(): LinkStatus {
    const offset = this.#channel?.clockOffset
    return {
      state: this.#state,
      peer: this.#peer,
      sinceMs: this.#sinceMs,
      roundTripMs: offset?.roundTripMs ?? null,
      clockOffsetMs: offset?.offsetMs ?? null,
      sessions: this.#sessions,
      receivedBytes: this.#earlierReceivedBytes + (this.#channel?.receivedBytes ?? 0),
      sentBytes: this.#earlierSentBytes + (this.#channel?.sentBytes ?? 0),
      lastError: this.#lastError,
    }
  }

  #set(state: LinkStatus['state']): void {
    if (state !== this.#state || this.#sinceMs === null) this.#sinceMs = this.#clock.wallMs()
    this.#state = state
  }
}
