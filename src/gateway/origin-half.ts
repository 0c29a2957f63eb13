import type { Clock } from '../base/clock.ts'
import { LandbridgeError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { formatHostPort } from '../config/address.ts'
import type { LinkConfig, StreamConfig } from '../config/config.ts'
import type { Channel } from '../link/channel.ts'
import type { SessionBody } from '../link/link-session.ts'
import type { Sample } from '../link/messages.ts'
import type { OpenedSource, SourcePort } from '../link/source-port.ts'
import { StreamSender } from '../link/stream-sender.ts'
import type { ConnectAttempts } from '../mysql/connect-attempts.ts'
import { Throttle } from '../progress/throttle.ts'
import { SourceMonitor } from '../source/source-monitor.ts'
import { SourceReader } from '../source/source-reader.ts'
import { problemOf } from '../status/problem-of.ts'
import type { Problem, RefusedStatus, StreamStatus } from '../status/status.ts'
import { SourceWarnings } from './source-warnings.ts'
import type { StreamHalf } from './stream-half.ts'
import type { StreamIdentity } from './stream-identity.ts'

export interface OriginHalfOptions {
  readonly gateway: string
  readonly config: StreamConfig
  readonly link: LinkConfig
  readonly identity: StreamIdentity
  /** Of the source's server, shared with every stream that has the same. */
  readonly attempts: ConnectAttempts
  readonly clock: Clock
  readonly log: Log
}

/** The sending half of a stream: source, throttle and sender joined. */
export class OriginHalf implements StreamHalf {
  readonly name: string
  readonly #sender: StreamSender
  readonly #options: OriginHalfOptions
  readonly #throttle: Throttle
  #unnamedSinceMs: number | null = null
  readonly #warnings: SourceWarnings
  readonly #monitor: SourceMonitor

  constructor(options: OriginHalfOptions) {
    const { config, link, clock, log } = options
    this.#options = options
    this.name = config.name
    this.#throttle = new Throttle({ bytesPerSecond: config.throttle.bytesPerSecond, clock })
    this.#warnings = new SourceWarnings({ stream: config.name, clock, log })
    const { port, monitor } = createSourcePort(options, this.#warnings)
    this.#monitor = monitor
    this.#sender = new StreamSender({
      name: config.name,
      source: port,
      throttle: this.#throttle,
      compression: link.compression,
      windowBytes: link.windowBytes,
      clock,
      log,
    })
  }

  namedByPeer(isNamed: boolean): void {
    const sinceMs = this.#unnamedSinceMs ?? this.#options.clock.wallMs()
    this.#unnamedSinceMs = isNamed ? null : sinceMs
  }

  /** The sender lives in the link's sessions; between them there is nothing to run. */
  async run(_signal: AbortSignal): Promise<void> {}

  session(channel: Channel, stream: number): SessionBody {
    return this.#sender.session(channel, stream)
  }

  /** Nothing is kept for anybody here: throws ERR_USAGE. */
  async releaseReplica(): Promise<boolean> {
    throw new LandbridgeError(
      'ERR_USAGE',
      `no replica of stream ${this.name} is served from here`,
      {
        remedy: 'Ask the gateway that feeds the replica.',
      },
    )
  }

  /** It has no door of its own. */
  refused(): RefusedStatus[] {
    return []
  }

  problems(): Problem[] {
    const { problem, state } = this.#sender.status()
    const warnings = [
      ...this.#unnamed(),
      ...this.#unmonitored(),
      // What stops it now need not be foreseen.
      ...this.#warnings.problems().filter(({ code }) => code !== problem?.code),
    ]
    if (problem === null) return warnings
    const { code, message, remedy, sinceMs } = problem
    const severity = state === 'blocked' ? 'blocked' : 'error'
    const where = `source:${this.name}`
    const blocking: Problem = { code, severity, where, message, sinceMs }
    return [remedy === null ? blocking : { ...blocking, remedy }, ...warnings]
  }

  #unmonitored(): Problem[] {
    const { trouble } = this.#monitor
    if (trouble === null) return []
    return [problemOf(trouble, { severity: 'error', where: `source:${this.name}` })]
  }

  #unnamed(): Problem[] {
    if (this.#unnamedSinceMs === null) return []
    const remedy = `Add a stream "${this.name}" with a spool to the DR gateway, or remove it here.`
    return [
      {
        code: 'ERR_STREAM_UNKNOWN',
        severity: 'blocked',
        where: `source:${this.name}`,
        message: `the DR gateway has no stream named ${this.name}: it is not copied`,
        remedy,
        sinceMs: this.#unnamedSinceMs,
      },
    ]
  }

  status(): StreamStatus {
    const { state, source, sample, sampledMs, sentBytes } = this.#sender.status()
    const { config } = this.#options
    const heardAgoMs = sampledMs === null ? null : this.#options.clock.monotonicMs() - sampledMs
    return {
      name: this.name,
      flavor: source?.flavor ?? null,
      state,
      source: {
        host: config.source === null ? null : formatHostPort(config.source),
        serverVersion: source?.serverVersion ?? null,
        serverId: source?.serverId ?? null,
        serverUuid: source?.serverUuid ?? null,
        position:
          sample === null
            ? null
            : { epoch: null, file: sample.file, offset: sample.offset, gtids: sample.gtids ?? '' },
        connected: state === 'streaming',
        heardAgoMs,
      },
      spool: null,
      receiveLag: null,
      transactionsReceived: 0,
      bytesReceived: sentBytes,
      receivedAgoMs: null,
      throttle: { bytesPerSecond: this.#throttle.bytesPerSecond },
      replicas: [],
    }
  }
}

function createSourcePort(
  options: OriginHalfOptions,
  warnings: SourceWarnings,
): { readonly port: SourcePort; readonly monitor: SourceMonitor } {
  const { config, identity, gateway, attempts, clock, log } = options
  const { source } = config
  if (source === null) throw new TypeError(`stream ${config.name} has no source`)
  const monitor = new SourceMonitor({
    address: { ...source, attempts: attempts.givingWay },
    clock,
    inspect: (connection) => reader.inspect(connection),
  })
  const reader = new SourceReader({
    address: { ...source, attempts },
    serverId: source.serverId ?? identity.sourceServerId,
    replicaUuid: identity.replicaUuid,
    reportHost: gateway,
    clock,
    log,
    onPreflight: (findings) => warnings.take(findings),
    onInspection: (findings) => warnings.foresee(findings),
    onCrowded: () => monitor.giveWay(),
    onConnected: () => monitor.comeBack(),
  })
  const port: SourcePort = {
    host: formatHostPort(source),
    async open(held, signal): Promise<OpenedSource> {
      const { facts, plan, run } = await reader.open(held, signal)
      if (source.flavor !== 'auto' && source.flavor !== facts.flavor) {
        throw new LandbridgeError(
          'ERR_SOURCE_FLAVOR',
          `the source is ${facts.flavor}, the configuration says ${source.flavor}`,
          { remedy: `Set streams.${config.name}.source.flavor to auto or ${facts.flavor}.` },
        )
      }
      const { flavor, serverVersion, serverId, serverUuid, gtidDomainId } = facts
      const identified = { flavor, serverVersion, serverId, serverUuid, gtidDomainId }
      const { newEpoch, gtids } = plan
      return { source: identified, newEpoch: newEpoch && { ...newEpoch, gtidsBefore: gtids }, run }
    },
    async watch(onSample, signal): Promise<void> {
      const take = (sample: Sample): void => {
        reader.seen(sample)
        onSample(sample)
      }
      await monitor.run(take, signal)
    },
  }
  return { port, monitor }
}
