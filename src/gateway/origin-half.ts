import type { Clock } from '../base/clock.ts'
import { LandbridgeError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { untilAborted } from '../base/until-aborted.ts'
import { formatHostPort } from '../config/address.ts'
import type { SiteDatabaseConfig } from '../database/database-section.ts'
import type { Channel } from '../link/channel.ts'
import type { LinkConfig } from '../link/link-section.ts'
import type { SessionBody } from '../link/link-session.ts'
import type { StreamSenderStatus } from '../link/stream-sender.ts'
import type { ConnectAttempts } from '../mysql/connect-attempts.ts'
import { Throttle } from '../progress/throttle.ts'
import { SourceMonitor } from '../source/source-monitor.ts'
import { SourceWarnings } from '../source/source-warnings.ts'
import { problemOf } from '../status/problem-of.ts'
import { NO_OBJECTIVE, type Problem, type RefusedStatus } from '../status/status.ts'
import type { StreamConfig } from './config/gateway-config.ts'
import { type CopyPeer, OriginCopy } from './origin-copy.ts'
import { SharedWatch } from './shared-watch.ts'
import type { HalfStatus, StreamHalf } from './stream-half.ts'
import type { ServerIdentity, StreamIdentity } from './stream-identity.ts'

export interface OriginHalfOptions {
  readonly gateway: string
  readonly config: StreamConfig
  readonly peers: readonly CopyPeer[]
  readonly link: LinkConfig
  readonly identity: StreamIdentity
  /** Of the source's server, shared with every stream that has the same. */
  readonly attempts: ConnectAttempts
  readonly clock: Clock
  readonly log: Log
}

/** From the best to the worst: the stream is as well as its worst copy that is connected. */
const STATES = ['streaming', 'connecting', 'parked', 'blocked'] as const

/**
 * The sending half of a stream: one source, watched once, and a dump for each copy. They share the
 * throttle.
 */
export class OriginHalf implements StreamHalf {
  readonly role = 'origin'
  readonly #options: OriginHalfOptions
  readonly #database: SiteDatabaseConfig
  readonly #throttle: Throttle
  readonly #warnings: SourceWarnings
  readonly #monitor: SourceMonitor
  readonly #copies: readonly OriginCopy[]

  constructor(options: OriginHalfOptions) {
    const { config, clock, log, attempts } = options
    this.#options = options
    this.#database = requireDatabase(config)
    this.#throttle = new Throttle({ bytesPerSecond: config.throttle.bytesPerSecond, clock })
    this.#warnings = new SourceWarnings({ stream: config.name, clock, log })
    this.#monitor = new SourceMonitor({
      address: { ...this.#database, attempts: attempts.givingWay },
      clock,
      inspect: async (connection) => await this.#inspector()?.reader.inspect(connection),
    })
    this.#copies = this.#createCopies()
  }

  /** The senders live in the link's sessions. */
  async run(signal: AbortSignal): Promise<void> {
    await untilAborted(signal)
  }

  session(channel: Channel, number: number, peer: string): SessionBody {
    const copy = this.#copies.find((one) => one.peer.name === peer)
    if (copy === undefined) throw new TypeError(`${peer} is no peer`)
    return copy.sender.session(channel, number)
  }

  /** Nothing is kept for anybody here: throws ERR_USAGE. */
  async releaseReplica(): Promise<boolean> {
    const { name } = this.#options.config
    throw new LandbridgeError('ERR_USAGE', `no replica of stream ${name} is served from here`, {
      remedy: 'Ask the gateway that feeds the replica.',
    })
  }

  /** It has no door of its own. */
  refused(): RefusedStatus[] {
    return []
  }

  problems(): Problem[] {
    const where = `source:${this.#options.config.name}`
    const { trouble } = this.#monitor
    const unmonitored =
      trouble === null ? [] : [problemOf(trouble, { severity: 'error', where } as const)]
    const blocking = this.#copyProblems(where)
    // What stops it now need not be foreseen.
    const stopping = new Set(blocking.map(({ code }) => code))
    const foreseen = this.#warnings.problems().filter(({ code }) => !stopping.has(code))
    return [...blocking, ...unmonitored, ...foreseen]
  }

  status(): HalfStatus {
    const { config, clock } = this.#options
    const all = this.#copies.map(({ sender }) => sender.status())
    const newest = newestOf(all)
    const { source, sample, sampledMs } = newest
    const state = stateOf(all)
    return {
      name: config.name,
      flavor: source?.flavor ?? null,
      state,
      source: {
        host: formatHostPort(this.#database),
        serverVersion: source?.serverVersion ?? null,
        serverId: source?.serverId ?? null,
        serverUuid: source?.serverUuid ?? null,
        position:
          sample === null
            ? null
            : { epoch: null, file: sample.file, offset: sample.offset, gtids: sample.gtids ?? '' },
        connected: all.some((one) => one.state === 'streaming'),
        heardAgoMs: sampledMs === null ? null : clock.monotonicMs() - sampledMs,
      },
      peer: null,
      copies: this.#copies.map((copy) => copy.status()),
      spool: null,
      receiveLag: null,
      exposure: null,
      objective: NO_OBJECTIVE,
      rates: null,
      transactionsReceived: 0,
      bytesReceived: all.reduce((sum, { sentBytes }) => sum + sentBytes, 0),
      receivedAgoMs: null,
      throttle: { bytesPerSecond: this.#throttle.bytesPerSecond },
      replicas: [],
    }
  }

  #createCopies(): OriginCopy[] {
    const { config, peers, identity } = this.#options
    const watch = new SharedWatch((...watching) => this.#monitor.run(...watching))
    return peers.map((peer, index) => {
      return new OriginCopy({
        ...this.#options,
        peer,
        stream: config.name,
        database: this.#database,
        identity: readerIdentity(this.#database, identity, peer.name, index),
        throttle: this.#throttle,
        monitor: this.#monitor,
        watch,
        warnings: this.#warnings,
        log: peers.length === 1 ? this.#options.log : this.#options.log.child({ peer: peer.name }),
      })
    })
  }

  /** All readers would find the same: the one that reads looks. */
  #inspector(): OriginCopy | undefined {
    return this.#copies.find(({ sender }) => sender.status().state === 'streaming')
  }

  /** What stops a dump. Where not all copies have it, it names those that do. */
  #copyProblems(where: string): Problem[] {
    const problems: Problem[] = []
    const stopped = this.#copies.flatMap(({ peer, sender }) => {
      const { problem, state } = sender.status()
      return problem === null ? [] : [{ peer: peer.name, problem, state }]
    })
    const asking = this.#copies.filter(({ sender }) => sender.status().state !== 'idle')
    for (const { problem, state } of stopped) {
      const { code, message, remedy, sinceMs } = problem
      const alike = stopped.filter((one) => {
        return one.problem.code === code && one.problem.message === message
      })
      const names = alike.map(({ peer }) => peer).join(', ')
      const text = alike.length === asking.length ? message : `for ${names}: ${message}`
      if (problems.some((other) => other.code === code && other.message === text)) continue
      const severity = state === 'blocked' ? 'blocked' : 'error'
      problems.push({ code, severity, where, message: text, sinceMs, ...(remedy && { remedy }) })
    }
    return problems
  }
}

/** Of what the copies' senders know of the source, what was heard last. */
function newestOf(all: readonly StreamSenderStatus[]): {
  readonly source: StreamSenderStatus['source']
  readonly sample: StreamSenderStatus['sample']
  readonly sampledMs: StreamSenderStatus['sampledMs']
} {
  const byTime = [...all].sort((a, b) => (b.sampledMs ?? -1) - (a.sampledMs ?? -1))
  const { sample = null, sampledMs = null } = byTime[0] ?? {}
  return { source: byTime.find(({ source }) => source !== null)?.source ?? null, sample, sampledMs }
}

function stateOf(all: readonly StreamSenderStatus[]): HalfStatus['state'] {
  const states = all.map(({ state }) => state)
  return STATES.toReversed().find((state) => states.includes(state)) ?? 'idle'
}

/** A configured server_id is the first of as many as there are peers. */
function readerIdentity(
  { serverId }: SiteDatabaseConfig,
  { readers }: StreamIdentity,
  peer: string,
  index: number,
): ServerIdentity {
  const reader = readers[peer]
  if (reader === undefined) throw new TypeError(`there is no identity to read for ${peer}`)
  return serverId === null ? reader : { ...reader, serverId: serverId + index }
}

function requireDatabase({ name, database }: StreamConfig): SiteDatabaseConfig {
  if (database !== null) return database
  throw new LandbridgeError('ERR_CONFIG', `stream ${name} has no database at this site`, {
    remedy: `Add the \`database\` section of stream ${name}: this site is its origin.`,
  })
}
