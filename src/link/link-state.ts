import type { Clock } from '../base/clock.ts'
import { describeError, errorFields } from '../base/errors.ts'
import type { LinkStatus } from '../status/status.ts'
import type { Channel } from './channel.ts'
import type { PeerCalls } from './peer-calls.ts'

/** A session that lasted so long was no flicker. */
const STEADY_MS = 5_000

/**
 * What status says of the link, the same at both ends.
 *
 *     down ──socket open──▶ greeting ──both hellos──▶ up ──any failure──▶ down
 *
 * Beside the state it knows since when the link is not steady. A link that comes up for a moment
 * every second is as bad as one that stays down: each attempt must not begin the trouble anew.
 */
export class LinkState {
  readonly #peer: string
  readonly #role: LinkStatus['role']
  readonly #clock: Clock
  #state: LinkStatus['state'] = 'down'
  #sinceMs: number | null = null
  /** Null once a session has lasted. */
  #trouble: { readonly sinceMs: number; sessions: number } | null
  #upAtMs = 0
  #channel: Channel | null = null
  #calls: PeerCalls | null = null
  #sessions = 0
  #earlierReceivedBytes = 0
  #earlierSentBytes = 0
  #lastError: LinkStatus['lastError'] = null

  constructor(peer: string, role: LinkStatus['role'], clock: Clock) {
    this.#peer = peer
    this.#role = role
    this.#clock = clock
    this.#trouble = { sinceMs: clock.wallMs(), sessions: 0 }
  }

  get channel(): Channel | null {
    return this.#state === 'up' ? this.#channel : null
  }

  get isDown(): boolean {
    return this.#state === 'down'
  }

  /** For questions to the peer; null while it is not connected. */
  get calls(): PeerCalls | null {
    return this.#state === 'up' ? this.#calls : null
  }

  /** Waits for the peer: why it could not wait before is over. */
  listening(): void {
    if (this.#state === 'down') this.#lastError = null
  }

  /** Whether the session that is up, or was until now, has lasted. */
  get isSteady(): boolean {
    this.#settle()
    return this.#trouble === null
  }

  greeting(): void {
    this.#set('greeting')
  }

  up(channel: Channel, calls: PeerCalls | null = null): void {
    this.#channel = channel
    this.#calls = calls
    this.#sessions += 1
    if (this.#trouble !== null) this.#trouble.sessions += 1
    this.#upAtMs = this.#clock.monotonicMs()
    this.#set('up')
  }

  down(error: unknown): void {
    this.#settle()
    this.#trouble ??= { sinceMs: this.#clock.wallMs(), sessions: 0 }
    this.#earlierReceivedBytes += this.#channel?.receivedBytes ?? 0
    this.#earlierSentBytes += this.#channel?.sentBytes ?? 0
    this.#channel = null
    this.#calls = null
    this.#lastError = {
      ...errorFields(error),
      message: describeError(error),
      atMs: this.#clock.wallMs(),
    }
    this.#set('down')
  }

  /** `carries`: the streams that go over it in the terms of now. */
  status(carries: readonly string[]): LinkStatus {
    this.#settle()
    const offset = this.#channel?.clockOffset
    return {
      state: this.#state,
      peer: this.#peer,
      role: this.#role,
      carries,
      sinceMs: this.#sinceMs,
      unsteadySinceMs: this.#trouble?.sinceMs ?? null,
      unsteadySessions: this.#trouble?.sessions ?? 0,
      roundTripMs: offset?.roundTripMs ?? null,
      clockOffsetMs: offset?.offsetMs ?? null,
      clockDoubtMs: offset?.doubtMs(this.#clock.wallMs()) ?? null,
      sessions: this.#sessions,
      receivedBytes: this.#earlierReceivedBytes + (this.#channel?.receivedBytes ?? 0),
      sentBytes: this.#earlierSentBytes + (this.#channel?.sentBytes ?? 0),
      lastError: this.#lastError,
    }
  }

  #settle(): void {
    if (this.#state !== 'up' || this.#trouble === null) return
    if (this.#clock.monotonicMs() - this.#upAtMs < STEADY_MS) return
    this.#trouble = null
    this.#lastError = null
  }

  #set(state: LinkStatus['state']): void {
    if (state !== this.#state || this.#sinceMs === null) this.#sinceMs = this.#clock.wallMs()
    this.#state = state
  }
}
