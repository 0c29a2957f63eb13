import type { Clock } from '../base/clock.ts'
import type { Problem } from '../status/status.ts'
import type { TermRecord } from '../status/term-record.ts'

type Told = Pick<Problem, 'code' | 'severity' | 'message' | 'remedy'>

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
    return [...this.#byPeer.values()]
  }

  agreed(peer: string): void {
    this.#byPeer.delete(peer)
  }

  /** Two sites were made origin in the same term, or two files name different origins. */
  conflict(peer: string, theirs: TermRecord, own: TermRecord): void {
    const isFirst = own.term === 1
    this.#set(peer, {
      code: 'ERR_TERM_CONFLICT',
      severity: 'blocked',
      message:
        `${peer} has ${theirs.origin} for the origin in term ${own.term}, this gateway has ` +
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

  /** A new term is known and could not be stored. It is tried again with the next session. */
  notTaken(peer: string, reason: string): void {
    this.#set(peer, {
      code: 'ERR_TERM_FILE',
      severity: 'error',
      message: `the term that ${peer} reports cannot be stored: ${reason}`,
      remedy: 'Make room on the disk of `dataDir`, or mend what the message says.',
    })
  }

  #set(peer: string, told: Told): void {
    const before = this.#byPeer.get(peer)
    const sinceMs = before?.code === told.code ? before.sinceMs : this.#clock.wallMs()
    this.#byPeer.set(peer, { ...told, where: `stream:${this.#stream}`, sinceMs })
  }
}
