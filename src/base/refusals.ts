import type { Clock } from './clock.ts'
import type { Dismissal } from './doorstep.ts'
import type { Log } from './log.ts'
import { ReasonLog } from './reason-log.ts'

export type RefusalReason = Dismissal | 'certificate' | 'malformed' | 'no-tls' | 'password' | 'tls'

export interface RefusedStatus {
  readonly reason: RefusalReason
  readonly connections: number
}

export interface RefusalsOptions {
  readonly clock: Clock
  readonly log: Log
  /** For people: what they were turned away from. */
  readonly door: string
}

const TEXTS: Readonly<Record<RefusalReason, string>> = {
  crowded: 'others needed the place of a connection that had not logged in',
  late: 'a connection did not log in in time',
  'too-often': 'an address connects too often',
  certificate: 'the certificate is not the peer’s',
  malformed: 'what was sent is not the protocol',
  'no-tls': 'a login came without TLS',
  password: 'wrong user or password',
  tls: 'the TLS handshake failed',
}

/**
 * Counts connections that were turned away before they proved who they are, by reason. Each reason
 * is logged once, then now and then with how often: a flood does not fill a disk.
 */
export class Refusals {
  readonly #options: RefusalsOptions
  readonly #reasons = new Map<RefusalReason, { count: number; readonly log: ReasonLog }>()

  constructor(options: RefusalsOptions) {
    this.#options = options
  }

  add(reason: RefusalReason, address: string, fields: object = {}): void {
    const known = this.#reasons.get(reason) ?? { count: 0, log: new ReasonLog(this.#options) }
    this.#reasons.set(reason, known)
    known.count += 1
    const text = `${this.#options.door} refuses: ${TEXTS[reason]}`
    known.log.warn('ERR_CONNECTION_REFUSED', text, { reason, address, ...fields })
  }

  status(): readonly RefusedStatus[] {
    return [...this.#reasons].map(([reason, { count }]) => ({ reason, connections: count }))
  }
}
