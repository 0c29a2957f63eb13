import type { Clock } from '../base/clock.ts'
import { describeError, errorFields, LandbridgeError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { runTogether } from '../base/tasks.ts'
import { untilAborted } from '../base/until-aborted.ts'
import type { PeerConfig, StreamConfig } from '../config/config.ts'
import { Fence } from '../database/fence.ts'
import type { SqlAddress } from '../mysql/sql-connect.ts'
import type { Problem, StreamStatus } from '../status/status.ts'
import type { TermRecord } from '../status/term-record.ts'
import type { StreamHalf } from './stream-half.ts'
import { type KnownTerm, loadTerm, saveTerm } from './term-file.ts'
import { TermTroubles } from './term-troubles.ts'

export interface StreamOptions {
  readonly dataDir: string
  /** Name of the gateway, and of its site. */
  readonly gateway: string
  readonly site: string
  readonly config: StreamConfig
  /** To fence it; null where this site has none. */
  readonly database: SqlAddress | null
  readonly peers: readonly PeerConfig[]
  readonly makeHalf: (term: TermRecord) => StreamHalf
  /** Ends every session of the link, and settles when nothing of them is left. */
  readonly endSessions: (reason: LandbridgeError) => Promise<void>
  readonly clock: Clock
  readonly log: Log
}

/**
 * A stream at this site, over all of its terms. Its half is made for a term, and made anew when a
 * higher one becomes known, without a restart:
 *
 *     term stored on disk ▶ sessions of the link end ▶ half ends ▶ half of the new role ▶ sessions
 *
 * No session begins while that lasts: what a hello says is what the gateway does.
 */
export class Stream {
  readonly name: string
  readonly #options: StreamOptions
  readonly #troubles: TermTroubles
  readonly #failed = Promise.withResolvers<never>()
  /** Peers that said hello, and whether they have this stream too. */
  readonly #named = new Map<string, { readonly isNamed: boolean; readonly sinceMs: number }>()
  #known: KnownTerm
  #half: StreamHalf
  #fence: Fence | null
  #signal: AbortSignal | null = null
  /** Ends the half of the term of now. */
  #ending = new AbortController()
  #halfDone: Promise<void> = Promise.resolve()
  /** Settles when no change is under way any more. */
  #changed: Promise<void> = Promise.resolve()

  private constructor(options: StreamOptions, known: KnownTerm) {
    this.name = options.config.name
    this.#options = options
    this.#troubles = new TermTroubles(this.name, options.clock)
    this.#failed.promise.catch(() => undefined)
    this.#known = known
    this.#half = options.makeHalf(known.record)
    this.#fence = this.#createFence()
  }

  /** With the newest term that is known here. Throws ERR_TERM_FILE, ERR_CONFIG. */
  static async load(options: StreamOptions): Promise<Stream> {
    return new Stream(options, await loadTerm(options.dataDir, options.config))
  }

  get term(): TermRecord {
    return this.#known.record
  }

  get half(): StreamHalf {
    return this.#half
  }

  async run(signal: AbortSignal): Promise<void> {
    this.#signal = signal
    this.#begin(signal)
    try {
      await Promise.race([untilAborted(signal), this.#failed.promise])
    } finally {
      await this.#changed
      this.#ending.abort()
      await this.#halfDone
    }
  }

  /** Settles when sessions of the link may begin. */
  async settled(): Promise<void> {
    await this.#changed
  }

  /** Whether `peer` has this stream too; null before it said hello. */
  isNamedBy(peer: string): boolean | null {
    return this.#named.get(peer)?.isNamed ?? null
  }

  /**
   * What the hello of `peer` says of this stream; null: it does not have it. A higher term is taken
   * when the peer may decide that; the session ends then.
   */
  heard(peer: PeerConfig, theirs: TermRecord | null): void {
    const { clock } = this.#options
    const before = this.#named.get(peer.name)
    const isNamed = theirs !== null
    if (before?.isNamed !== isNamed) {
      this.#named.set(peer.name, { isNamed, sinceMs: clock.wallMs() })
    }
    const own = this.term
    if (theirs === null || theirs.term < own.term) this.#troubles.agreed(peer.name)
    else if (theirs.term > own.term) this.#hearHigher(peer, theirs)
    else if (theirs.origin === own.origin) this.#troubles.agreed(peer.name)
    else this.#troubles.conflict(peer.name, theirs, own)
  }

  /**
   * Decides the origin anew: in the next term it is `origin`. Null when it already is, and nobody
   * disputes it. On disk when it settles; peers hear of it in the next hello.
   */
  async advance(origin: string, reason: string): Promise<TermRecord | null> {
    const { gateway, site, config, clock } = this.#options
    if (origin === site && config.database === null) {
      throw new LandbridgeError('ERR_USAGE', `${this.name} has no database at site ${site}`, {
        remedy: `Add the \`database\` section of stream ${this.name}, and restart the gateway.`,
      })
    }
    let decided: TermRecord | null = null
    await this.#change(() => {
      const own = this.term
      if (own.origin === origin && this.#troubles.problems().length === 0) return null
      decided = { term: own.term + 1, origin, sinceMs: clock.wallMs(), by: gateway, reason }
      return decided
    })
    return decided
  }

  status(): StreamStatus {
    return { ...this.#half.status(), role: this.#half.role, term: this.term }
  }

  problems(): Problem[] {
    return [
      ...this.#troubles.problems(),
      ...(this.#fence?.problems() ?? []),
      ...this.#uncopied(),
      ...this.#unreachable(),
      ...this.#half.problems(),
    ]
  }

  #hearHigher(peer: PeerConfig, theirs: TermRecord): void {
    if (!peer.mayTakeOver) {
      this.#troubles.untrusted(peer.name, theirs)
      return
    }
    const taking = this.#change(() => (theirs.term > this.term.term ? theirs : null))
    taking
      .then(() => this.#troubles.agreed(peer.name))
      .catch((error: unknown) => {
        const { log } = this.#options
        this.#troubles.notTaken(peer.name, describeError(error))
        log.error(errorFields(error), `term ${theirs.term}: ${describeError(error)}`)
      })
  }

  /** One change at a time; `decide` is called when it is this one's turn. */
  async #change(decide: () => TermRecord | null): Promise<void> {
    const earlier = this.#changed
    const changing = (async () => {
      await earlier
      const record = decide()
      if (record !== null) await this.#enter(record)
    })()
    this.#changed = changing.catch(() => undefined)
    await changing
  }

  async #enter(record: TermRecord): Promise<void> {
    const { dataDir, site, endSessions, log } = this.#options
    const before = this.term.origin
    const fence = record.origin !== site && (before === site || this.#known.fence)
    const known: KnownTerm = { record, before, fence }
    await saveTerm(dataDir, this.name, known)
    const { term, origin, by, reason } = record
    const message = `term ${term}: ${origin} is the origin, ${before} was`
    log.warn({ stream: this.name, term, origin, before, by, reason }, message)
    await endSessions(termChanged(this.name, record))
    this.#ending.abort()
    await this.#halfDone
    this.#known = known
    this.#half = this.#options.makeHalf(record)
    this.#fence = this.#createFence()
    if (this.#signal !== null) this.#begin(this.#signal)
  }

  #begin(signal: AbortSignal): void {
    this.#ending = new AbortController()
    const stop = AbortSignal.any([signal, this.#ending.signal])
    const running = runTogether([this.#half, this.#fence], stop)
    this.#halfDone = running.catch((error: unknown) => this.#failed.reject(error))
  }

  /** The peers take the news from the hello: whoever was origin fences its database itself. */
  #createFence(): Fence | null {
    if (!this.#known.fence) return null
    const { dataDir, database, clock, log } = this.#options
    const known = this.#known
    return new Fence({
      stream: this.name,
      database,
      clock,
      log,
      onFenced: async () => {
        const fenced = { ...known, fence: false }
        await saveTerm(dataDir, this.name, fenced)
        if (this.#known === known) this.#known = fenced
      },
    })
  }

  /** At the origin, when all peers that said hello lack it. */
  #uncopied(): Problem[] {
    const peers = [...this.#named]
    if (this.#half.role !== 'origin' || peers.length === 0) return []
    if (peers.some(([, { isNamed }]) => isNamed)) return []
    const names = peers.map(([peer]) => peer).join(', ')
    return [
      {
        code: 'ERR_STREAM_UNKNOWN',
        severity: 'blocked',
        where: `stream:${this.name}`,
        message: `${names} has no stream named ${this.name}: it is not copied`,
        remedy: `Add a stream "${this.name}" where a copy is to be, or remove it here.`,
        sinceMs: Math.max(...peers.map(([, { sinceMs }]) => sinceMs)),
      },
    ]
  }

  /** The origin went to a site from which nothing can be received here. */
  #unreachable(): Problem[] {
    const { site, peers, clock } = this.#options
    const { origin, sinceMs } = this.term
    if (origin === site || peers.some((peer) => peer.site === origin)) return []
    return [
      {
        code: 'ERR_TERM_ORIGIN',
        severity: 'blocked',
        where: `stream:${this.name}`,
        message: `the origin of ${this.name} is ${origin}, and no peer of this gateway is there`,
        remedy: 'Add the peer file of a gateway at that site, and its name to `peers`.',
        sinceMs: sinceMs ?? clock.wallMs(),
      },
    ]
  }
}

function termChanged(stream: string, { term, origin }: TermRecord): LandbridgeError {
  const message = `the origin of ${stream} is ${origin} since term ${term}`
  return new LandbridgeError('ERR_TERM_CHANGED', message, { retryable: true })
}
