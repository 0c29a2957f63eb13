import type { Clock } from '../base/clock.ts'
import type { PeerConfig } from '../config/peer-file.ts'
import type { Problem } from '../status/status.ts'
import type { TermRecord } from '../status/term-record.ts'

type Told = Pick<Problem, 'code' | 'severity' | 'message' | 'remedy'>

/** A peer that hears of a higher term takes it within seconds, or never. */
const BEHIND_MS_MAX = 10_000

/** Where peers do not agree with this gateway about the origin of a stream, since when. */
export class TermTroubles {
  readonly #stream: string
  readonly #clock: Clock
  readonly #byPeer = new Map<string, Problem>()

  constructor(stream: string, clock: Clock) {
    this.#stream = stream
    this.#clock = clock
  }

  problems(): Problem[] {
    const nowMs = this.#clock.wallMs()
    return [...this.#byPeer.values()].filter(
      ({ code, sinceMs }) => code !== 'ERR_TERM_BEHIND' || nowMs - sinceMs > BEHIND_MS_MAX,
    )
  }

  /** Whether a peer that may decide has another origin in the same term. */
  get isDisputed(): boolean {
    return [...this.#byPeer.values()].some(({ code }) => code === 'ERR_TERM_CONFLICT')
  }

  agreed(peer: string): void {
    this.#byPeer.delete(peer)
  }

  /** Decided anew: what peers said before is about an older term. */
  clear(): void {
    this.#byPeer.clear()
  }

  /** Two sites were made origin in the same term, or two files name different origins. */
  conflict({ name, mayTakeOver }: PeerConfig, theirs: TermRecord, own: TermRecord): void {
    const isFirst = own.term === 1
    this.#set(name, {
      code: 'ERR_TERM_CONFLICT',
      severity: mayTakeOver ? 'blocked' : 'error',
      message:
        `${name} has ${theirs.origin} for the origin in term ${own.term}, this gateway has ` +
        `${own.origin}: nothing flows between the two`,
      remedy: isFirst
        ? `Correct \`origin\` of stream ${this.#stream} at one of them, and restart that gateway.`
        : 'Find out which database the applications write to. At its gateway run: landbridge ' +
          `operation call term.advance --input '{"stream": "${this.#stream}", "reason": "..."}'`,
    })
  }

  /** A peer reports a higher term, and its file does not say that this counts. */
  untrusted(peer: string, theirs: TermRecord): void {
    this.#set(peer, {
      code: 'ERR_TERM_UNTRUSTED',
      severity: 'error',
      message:
        `${peer} reports that ${theirs.origin} is the origin since term ${theirs.term}, and may ` +
        'not decide that here: nothing flows between the two',
      remedy:
        `If it is right, set mayTakeOver: true in the peer file of ${peer} and restart this ` +
        'gateway. If not, find out who advanced the term there.',
    })
  }

  /** So many terms cannot have passed. */
  implausible(peer: string, theirs: TermRecord, own: TermRecord): void {
    this.#set(peer, {
      code: 'ERR_TERM_UNTRUSTED',
      severity: 'error',
      message: `${peer} reports term ${theirs.term}, and term ${own.term} is known here`,
      remedy: `Find out what happened at ${peer}: nobody decides so often.`,
    })
  }

  /** A peer goes on in a lower term although it has heard of ours. */
  behind(peer: string, theirs: TermRecord): void {
    this.#set(peer, {
      code: 'ERR_TERM_BEHIND',
      severity: 'error',
      message: `${peer} is still in term ${theirs.term}, with ${theirs.origin} for the origin`,
      remedy:
        `See landbridge status at ${peer}: its peer file of this gateway may lack ` +
        'mayTakeOver: true.',
    })
  }

  /** A new term is known and could not be stored: it is tried again. */
  notStored(peer: string, reason: string): void {
    this.#set(peer, {
      code: 'ERR_TERM_STORE',
      severity: 'error',
      message: `the term that ${peer} reports cannot be stored, and is not taken: ${reason}`,
      remedy: 'Make room on the disk of `dataDir`, or mend what the message says.',
    })
  }

  #set(peer: string, told: Told): void {
    const before = this.#byPeer.get(peer)
    const sinceMs = before?.code === told.code ? before.sinceMs : this.#clock.wallMs()
    this.#byPeer.set(peer, { ...told, where: `stream:${this.#stream}`, sinceMs })
  }
}
