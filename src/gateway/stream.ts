import { abortable } from '../base/abortable.ts'
import type { Clock } from '../base/clock.ts'
import { describeError, errorFields, isAbortError, LandbridgeError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { runTogether } from '../base/tasks.ts'
import type { PeerConfig } from '../config/peer-file.ts'
import { Fence } from '../database/fence.ts'
import type { Hello } from '../link/messages.ts'
import type { SqlAddress } from '../mysql/sql-connect.ts'
import { problemOf } from '../status/problem-of.ts'
import type { Problem, StreamStatus } from '../status/status.ts'
import { firstTerm, TERM_MAX, type TermRecord } from '../status/term-record.ts'
import { BlockedHalf } from './blocked-half.ts'
import type { StreamConfig } from './config/gateway-config.ts'
import type { StreamHalf } from './stream-half.ts'
import { StreamPeers } from './stream-peers.ts'
import { type KnownTerm, loadTerm, saveTerm, type TermPlace } from './term-file.ts'
import { TermTroubles } from './term-troubles.ts'

export interface StreamOptions {
  readonly dataDir: string
  /** Name of the gateway, and of its site. */
  readonly gateway: string
  readonly site: string
  readonly config: StreamConfig
  /** To fence it, or to attach it; null where this site has none. */
  readonly database: SqlAddress | null
  readonly peers: readonly PeerConfig[]
  /** Throws a LandbridgeError where this site cannot be what the term says. */
  readonly makeHalf: (term: TermRecord) => StreamHalf
  /** Ends every session of the link, and settles when nothing of them is left. */
  readonly endSessions: (reason: LandbridgeError) => Promise<void>
  readonly clock: Clock
  readonly log: Log
}

/** What a peer's hello says of one stream. */
export type NamedStream = Hello['streams'][number]

/** So long a session waits for a change of roles; then it begins without that stream. */
export const HOLD_MS_MAX = 4_000
/** More terms than that are not decided while a gateway is away. */
const JUMP_MAX = 1_000
const STORE_AGAIN_MS = 5_000
/** A half ends within moments, unless its disk or its database hangs. */
const CHANGE_MS_MAX = 15_000

/**
 * A stream at this site, over all of its terms. Its half is made for a term, and made anew when a
 * higher one becomes known, without a restart:
 *
 *     stored on disk ──▶ sessions end ──▶ old half ends ──▶ half of the new role ──▶ sessions
 *       a crash before this: the old term    a crash from here on: the new term
 *
 * No session begins while that lasts: what a hello says is what the gateway does.
 */
export class Stream {
  readonly name: string
  readonly #options: StreamOptions
  readonly #place: TermPlace
  readonly #troubles: TermTroubles
  readonly #peers: StreamPeers
  readonly #failed = Promise.withResolvers<never>()
  #known: KnownTerm
  #half: StreamHalf
  #fence: Fence | null
  #signal: AbortSignal | null = null
  /** Ends the half of the term of now. */
  #ending = new AbortController()
  #halfDone: Promise<void> = Promise.resolve()
  /** Settles when no change is under way any more. */
  #changed: Promise<void> = Promise.resolve()
  /** Since when a change is under way; null: none is. */
  #changingSinceMs: number | null = null
  /** Of a term that could not be stored. */
  #retrying: Promise<void> | null = null

  private constructor(options: StreamOptions, known: KnownTerm, problem: Problem | null) {
    const { dataDir, site, config, clock, peers } = options
    this.name = config.name
    this.#options = options
    this.#place = { dataDir, site, stream: config }
    this.#troubles = new TermTroubles(this.name, clock)
    this.#peers = new StreamPeers({ stream: this.name, peers, clock })
    this.#failed.promise.catch(() => undefined)
    this.#known = known
    this.#half = problem === null ? this.#make(known.record) : this.#blocked(known.record, problem)
    this.#fence = this.#createFence()
  }

  /** With the newest term that is known here. What is damaged blocks this stream alone. */
  static async load(options: StreamOptions): Promise<Stream> {
    const { dataDir, site, config, clock, log } = options
    try {
      const known = await loadTerm({ dataDir, site, stream: config })
      return new Stream(options, known, null)
    } catch (error) {
      log.error(errorFields(error), describeError(error))
      const problem = blockedProblem(config.name, error, clock.wallMs())
      const known = { record: firstTerm(config.origin), fence: false }
      return new Stream(options, known, problem)
    }
  }

  get term(): TermRecord {
    return this.#known.record
  }

  get config(): StreamConfig {
    return this.#options.config
  }

  /** The server at this site, with the attempts that all share who log in; null: there is none. */
  get database(): SqlAddress | null {
    return this.#options.database
  }

  /** Whether this site could be its origin. */
  get hasDatabase(): boolean {
    return this.#options.config.database !== null
  }

  get half(): StreamHalf {
    return this.#half
  }

  /** Aborted when what this site does in the term of now ends. */
  get ending(): AbortSignal {
    return this.#ending.signal
  }

  get isChanging(): boolean {
    return this.#changingSinceMs !== null
  }

  async run(signal: AbortSignal): Promise<void> {
    this.#signal = signal
    this.#begin(signal)
    try {
      await abortable(this.#failed.promise, signal)
    } catch (error) {
      if (!signal.aborted) throw error
    } finally {
      await this.#changed
      await this.#retrying
      this.#ending.abort()
      await this.#halfDone
    }
  }

  /** Settles when the change that is under way is over. */
  async settled(): Promise<void> {
    await this.#changed
  }

  /** Whether `peer` has this stream too; null before it said hello. */
  isNamedBy(peer: string): boolean | null {
    return this.#peers.isNamedBy(peer)
  }

  /**
   * What the hello of `peer` says of this stream; null: it does not have it. A higher term is taken
   * when the peer may decide that; the session ends then.
   */
  heard(peer: PeerConfig, theirs: NamedStream | null): void {
    this.#peers.heard(peer.name, theirs)
    if (theirs === null) this.#troubles.agreed(peer.name)
    else this.#compare(peer, theirs.term)
  }

  /**
   * Decides the origin anew: in the next term it is `origin`. Null when it already is, and nobody
   * disputes it. On disk when it settles; peers hear of it in the next hello. Throws ERR_USAGE when
   * that site cannot be the origin.
   */
  async advance(origin: string, reason: string): Promise<TermRecord | null> {
    const { gateway, clock } = this.#options
    let decided: TermRecord | null = null
    await this.#change(() => {
      const own = this.term
      if (own.origin === origin && !this.#troubles.isDisputed) return null
      this.#refuseOrigin(origin)
      if (own.term >= TERM_MAX) throw new LandbridgeError('ERR_USAGE', 'there is no higher term')
      decided = { term: own.term + 1, origin, sinceMs: clock.wallMs(), by: gateway, reason }
      return decided
    })
    return decided
  }

  status(): StreamStatus {
    const shown = this.#half.status()
    const copies = shown.copies.filter(({ peer }) => this.isNamedBy(peer) !== false)
    return { ...shown, copies, role: this.#half.role, term: this.term }
  }

  problems(): Problem[] {
    return [
      ...this.#troubles.problems(),
      ...(this.#fence?.problems() ?? []),
      ...(this.#half.role === 'origin' ? this.#peers.uncopied() : []),
      ...this.#unreachable(),
      ...this.#slowChange(),
      ...this.#half.problems(),
    ]
  }

  /** An origin needs a database; that of another site is known by what its gateway says. */
  #refuseOrigin(origin: string): void {
    const { site, config, peers } = this.#options
    const refuse = (why: string, remedy: string): never => {
      throw new LandbridgeError('ERR_USAGE', `${origin} cannot be the origin: ${why}`, { remedy })
    }
    if (origin === site) {
      if (config.database !== null) return
      const remedy = `Add the \`database\` section of stream ${this.name}, and restart the gateway.`
      refuse(`stream ${this.name} has no database here`, remedy)
    }
    const there = peers.filter((peer) => peer.site === origin).map(({ name }) => name)
    if (there.some((peer) => this.#peers.hasDatabase(peer))) return
    const why = 'no gateway there is connected that has this stream and a database for it'
    refuse(why, `Ask the gateway at ${origin} itself, or see why it is away: landbridge status.`)
  }

  #compare(peer: PeerConfig, theirs: TermRecord): void {
    const own = this.term
    if (theirs.term < own.term) this.#troubles.behind(peer.name, theirs)
    else if (theirs.term > own.term) this.#hearHigher(peer, theirs)
    else if (theirs.origin === own.origin) this.#troubles.agreed(peer.name)
    else this.#troubles.conflict(peer, theirs, own)
  }

  #hearHigher(peer: PeerConfig, theirs: TermRecord): void {
    const own = this.term
    if (!peer.mayTakeOver) this.#troubles.untrusted(peer.name, theirs)
    else if (theirs.term > own.term + JUMP_MAX) {
      this.#troubles.implausible(peer.name, theirs, own)
    } else void this.#take(peer.name, theirs)
  }

  /** Never rejects: what cannot be stored is tried again until it is, or a higher one is. */
  async #take(peer: string, theirs: TermRecord): Promise<void> {
    const { log, clock } = this.#options
    try {
      await this.#change(() => (theirs.term > this.term.term ? theirs : null))
      this.#troubles.agreed(peer)
    } catch (error) {
      this.#troubles.notStored(peer, describeError(error))
      log.error(errorFields(error), `term ${theirs.term}: ${describeError(error)}`)
      const signal = this.#signal
      if (signal === null || signal.aborted || this.#retrying !== null) return
      this.#retrying = clock
        .sleep(STORE_AGAIN_MS, { signal })
        .then(() => {
          this.#retrying = null
          void this.#take(peer, theirs)
        })
        .catch(() => undefined)
    }
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
    const { site, endSessions, clock, log } = this.#options
    const { record: before, fence: wasFenced } = this.#known
    // Terms that were missed may have had this site for their origin.
    const wasOrigin = before.origin === site || wasFenced || record.term > before.term + 1
    const known: KnownTerm = { record, fence: record.origin !== site && wasOrigin }
    this.#changingSinceMs = clock.monotonicMs()
    try {
      await saveTerm(this.#place, known)
      const { term, origin, by, reason } = record
      const message = `term ${term}: ${origin} is the origin, ${before.origin} was`
      log.warn({ stream: this.name, term, origin, before: before.origin, by, reason }, message)
      await endSessions(termChanged(this.name, record))
      this.#ending.abort()
      await this.#halfDone
      this.#known = known
      this.#troubles.clear()
      this.#half = this.#make(record)
      this.#fence = this.#createFence()
      if (this.#signal !== null) this.#begin(this.#signal)
    } finally {
      const tookMs = clock.monotonicMs() - this.#changingSinceMs
      this.#changingSinceMs = null
      // Sessions that would not wait so long have begun without this stream.
      if (tookMs > HOLD_MS_MAX) await endSessions(termChanged(this.name, this.term))
    }
  }

  #begin(signal: AbortSignal): void {
    this.#ending = new AbortController()
    const stop = AbortSignal.any([signal, this.#ending.signal])
    const running = runTogether([this.#half, this.#fence], stop)
    this.#halfDone = running.catch((error: unknown) => {
      if (!isAbortError(error)) this.#failed.reject(error)
    })
  }

  /** A site that cannot be what the term says shows why, and the other streams go on. */
  #make(record: TermRecord): StreamHalf {
    try {
      return this.#options.makeHalf(record)
    } catch (error) {
      const { log, clock } = this.#options
      log.error(errorFields(error), describeError(error))
      return this.#blocked(record, blockedProblem(this.name, error, clock.wallMs()))
    }
  }

  #blocked({ origin }: TermRecord, problem: Problem): StreamHalf {
    const { site, config } = this.#options
    return new BlockedHalf(origin === site ? 'origin' : 'copy', config, problem)
  }

  #createFence(): Fence | null {
    if (!this.#known.fence) return null
    const { database, clock, log } = this.#options
    return new Fence({ stream: this.name, database, clock, log })
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

  #slowChange(): Problem[] {
    const { clock } = this.#options
    if (this.#changingSinceMs === null) return []
    const forMs = clock.monotonicMs() - this.#changingSinceMs
    if (forMs < CHANGE_MS_MAX) return []
    return [
      {
        code: 'ERR_TERM_CHANGED',
        severity: 'error',
        where: `stream:${this.name}`,
        message: 'this gateway takes another role, and what it did before does not end',
        remedy: 'See whether the disk of the spool or the database hangs; a restart is safe.',
        sinceMs: clock.wallMs() - forMs,
      },
    ]
  }
}

function blockedProblem(stream: string, error: unknown, sinceMs: number): Problem {
  return problemOf({ error, sinceMs }, { severity: 'blocked', where: `stream:${stream}` })
}

function termChanged(stream: string, { term, origin }: TermRecord): LandbridgeError {
  const message = `the origin of ${stream} is ${origin} since term ${term}`
  return new LandbridgeError('ERR_TERM_CHANGED', message, { retryable: true })
}
