import type { X509Certificate } from 'node:crypto'
import type { Clock } from '../base/clock.ts'
import type { ClockReading } from '../base/clock-offset.ts'
import { LandbridgeError } from '../base/errors.ts'
import { publicKeyFingerprint } from '../base/fingerprint.ts'
import type { Log } from '../base/log.ts'
import { runTogether } from '../base/tasks.ts'
import { packageVersion } from '../base/version.ts'
import type { PeerConfig } from '../config/peer-file.ts'
import type { Channel } from '../link/channel.ts'
import { LinkClient } from '../link/link-client.ts'
import { linkMetrics } from '../link/link-metrics.ts'
import { LinkServer } from '../link/link-server.ts'
import type { SessionBody } from '../link/link-session.ts'
import type { LinkState } from '../link/link-state.ts'
import type { Hello } from '../link/messages.ts'
import type { PeerCalls, ServeCall } from '../link/peer-calls.ts'
import { receivedStreams } from '../link/received-streams.ts'
import { type Refusal, SentStreams, type StreamRequest } from '../link/sent-streams.ts'
import type { MetricSheet } from '../observe/metric-sheet.ts'
import { linkProblems } from '../status/link-problems.ts'
import { isUp, peersOf } from '../status/links.ts'
import type { GatewayStatus, LinkStatus, Problem, RefusedStatus } from '../status/status.ts'
import type { Capability, StatusParts } from './capability.ts'
import type { GatewayConfig } from './config/gateway-config.ts'
import type { LinkPath } from './link-path.ts'
import { HOLD_MS_MAX, type Stream } from './stream.ts'

export interface LinksOptions {
  readonly config: GatewayConfig
  readonly streams: readonly Stream[]
  readonly path: LinkPath
  /** Answers what a peer asks, as far as its peer file allows it. */
  readonly serve: (peer: PeerConfig, ...call: Parameters<ServeCall>) => Promise<unknown>
  readonly clock: Clock
  readonly log: Log
}

interface PeerLinks {
  readonly peer: PeerConfig
  /** Dials the peer: what comes from there. */
  readonly client: LinkClient
}

/**
 * The sessions with all peers. Whoever receives dials: of each peer there is one session in which
 * this gateway receives, and one in which it sends, also while no stream goes that way. So a new
 * term is heard of at once, and a way back that does not work is known before it is needed.
 */
export class Links implements Capability {
  readonly flow = [this]
  readonly #options: LinksOptions
  readonly #server: LinkServer<PeerConfig>
  readonly #links: readonly PeerLinks[]

  constructor(options: LinksOptions) {
    const { config, path, clock, log } = options
    this.#options = options
    const { identity, self, peers } = config
    const common = {
      own: () => this.#own(),
      settled: () => this.#settled(),
      pingMs: config.link.pingMs,
      tls: {
        certificatePem: identity.certificatePem,
        privateKeyPem: identity.privateKeyPem,
        authorityPem: identity.authorityPem,
        fingerprintOf: (certificate: X509Certificate) =>
          publicKeyFingerprint(certificate.publicKey),
      },
      clock,
      log,
    }
    this.#server = new LinkServer({
      ...common,
      peers,
      host: self.tunnelAddress.address,
      port: self.linkPort,
      createBody: (channel, hello, peer) => this.#send(channel, hello, peer),
      serve: options.serve,
    })
    this.#links = peers.map((peer) => {
      const client = new LinkClient({
        ...common,
        peer,
        host: peer.tunnelAddress.address,
        port: peer.linkPort,
        createBody: (channel, hello) => this.#receive(channel, hello, peer),
        serve: (...call) => options.serve(peer, ...call),
        excuses: (error) => path.excuses(peer.name, error),
      })
      return { peer, client }
    })
  }

  async run(signal: AbortSignal): Promise<void> {
    await this.#options.path.wait(signal)
    await runTogether([this.#server, ...this.#links.map(({ client }) => client)], signal)
  }

  status(): LinkStatus[] {
    return this.#links.flatMap((link) => {
      const [receiving, sending] = this.#statesOf(link)
      return [
        receiving.status(this.#received(link.peer).map(({ name }) => name)),
        sending.status(this.#sent(link.peer).map(({ name }) => name)),
      ]
    })
  }

  problems({ links, nowMs }: StatusParts): Problem[] {
    return linkProblems(links, nowMs)
  }

  refused(): RefusedStatus[] {
    return this.#server.refused()
  }

  metrics(sheet: MetricSheet, { links }: GatewayStatus): void {
    linkMetrics(sheet, links)
  }

  /** Why peers may not follow what is decided here. */
  doubts(): string[] {
    const { name, mayTakeOver } = this.#options.config.self
    const links = this.status()
    const away = peersOf(links).filter((peer) => {
      return !links.some((link) => link.peer === peer && isUp(link))
    })
    return [
      ...(mayTakeOver ? [] : [`the peer file of ${name} does not say mayTakeOver: true`]),
      ...away.map((peer) => `${peer} is not connected, and hears of it when it comes back`),
    ]
  }

  /** Ends every session, and settles when nothing of them is left. */
  async endSessions(reason: LandbridgeError): Promise<void> {
    const clients = this.#links.map(({ client }) => client.renew(reason))
    await Promise.all([this.#server.renew(reason), ...clients])
  }

  /** Asks a peer for one of its operations. Throws ERR_PEER_UNKNOWN, ERR_PEER_AWAY, its failure. */
  async ask(peer: string, ...call: Parameters<PeerCalls['ask']>): Promise<unknown> {
    const found = this.#links.find((link) => link.peer.name === peer)
    if (found === undefined) throw this.#noPeer(peer)
    const calls = this.#statesOf(found).find((state) => state.calls !== null)?.calls ?? null
    if (calls === null) throw peerAway(peer)
    return await calls.ask(...call)
  }

  /** The clock of the gateway `name`; null while it is not connected. */
  clockOf(name: string): ClockReading | null {
    const nowMs = this.#options.clock.wallMs()
    const there = this.#links.filter(({ peer }) => peer.name === name)
    const readings = there
      .flatMap((link) => this.#statesOf(link))
      .flatMap((state) => state.channel?.clockOffset.reading(nowMs) ?? [])
    // The session that is least in doubt: one is full of data, the other has pings alone.
    return readings.toSorted((a, b) => a.doubtMs - b.doubtMs)[0] ?? null
  }

  /** The session in which this gateway receives from a peer; null while there is none. */
  dialled(peer: string): Channel | null {
    return this.#links.find((link) => link.peer.name === peer)?.client.state.channel ?? null
  }

  #own(): Omit<Hello, 'protocol'> {
    const { config, streams } = this.#options
    return {
      gateway: config.name,
      site: config.site,
      software: `landbridge ${packageVersion()}`,
      streams: streams.map(({ name, term, hasDatabase }) => ({ name, term, hasDatabase })),
    }
  }

  #noPeer(name: string): LandbridgeError {
    const names = this.#links.map(({ peer }) => peer.name).join(', ')
    return new LandbridgeError('ERR_PEER_UNKNOWN', `this gateway has no peer ${name}`, {
      remedy: `It has: ${names}.`,
    })
  }

  /** Of the session that receives from the peer, and of the one that sends to it. */
  #statesOf({ peer, client }: PeerLinks): readonly [LinkState, LinkState] {
    return [client.state, this.#server.stateOf(peer.name)]
  }

  /** No role changes any more, or the ones that do have taken too long to wait for. */
  async #settled(): Promise<void> {
    const { streams, clock } = this.#options
    const enough = new AbortController()
    const { signal } = enough
    const limit = clock.sleep(HOLD_MS_MAX, { signal }).then(() => 'late')
    const late = limit.catch(() => 'late')
    try {
      while (streams.some(({ isChanging }) => isChanging)) {
        const all = Promise.all(streams.map((stream) => stream.settled()))
        if ((await Promise.race([all, late])) === 'late') return
      }
    } finally {
      enough.abort()
      await late
    }
  }

  /** Streams whose origin is the site of `peer`. */
  #received(peer: PeerConfig): Stream[] {
    return this.#options.streams.filter(({ half, term, isChanging }) => {
      return half.role === 'copy' && term.origin === peer.site && !isChanging
    })
  }

  /** Streams whose origin is here, apart from those of which `peer` says that it has no such. */
  #sent(peer: PeerConfig): Stream[] {
    if (peer.site === this.#options.config.site) return []
    return this.#options.streams.filter(
      (stream) => stream.half.role === 'origin' && stream.isNamedBy(peer.name) !== false,
    )
  }

  #hear(hello: Hello, peer: PeerConfig): void {
    for (const stream of this.#options.streams) {
      const theirs = hello.streams.find(({ name }) => name === stream.name)
      stream.heard(peer, theirs ?? null)
    }
  }

  #receive(channel: Channel, hello: Hello, peer: PeerConfig): SessionBody {
    this.#hear(hello, peer)
    const streams = this.#received(peer).map(({ half }) => ({
      session: (own: Channel, number: number) => half.session(own, number, peer.name),
    }))
    return receivedStreams(streams, channel)
  }

  #send(channel: Channel, hello: Hello, peer: PeerConfig): SessionBody {
    this.#hear(hello, peer)
    return new SentStreams(channel, (request, own, number) => {
      const stream = this.#options.streams.find(({ name }) => name === request.stream)
      if (stream === undefined) return this.#unknown(request)
      const isOrigin =
        stream.half.role === 'origin' && stream.term.term === request.term && !stream.isChanging
      return isOrigin ? stream.half.session(own, number, peer.name) : this.#notOrigin(stream)
    })
  }

  #unknown({ stream }: StreamRequest): Refusal {
    const { name } = this.#options.config
    return {
      code: 'ERR_STREAM_UNKNOWN',
      message: `gateway ${name} has no stream named ${stream}`,
      remedy: `Add a stream "${stream}" to gateway ${name}, or remove it here.`,
      sinceMs: this.#options.clock.wallMs(),
    }
  }

  /** The two do not agree about the term: one has yet to hear of it, or does not believe it. */
  #notOrigin({ name, term }: Stream): Refusal {
    const { config, clock } = this.#options
    return {
      code: 'ERR_TERM_OTHER',
      message:
        `gateway ${config.name} has ${term.origin} for the origin of ${name} in term ` +
        `${term.term}, and sends nothing for another`,
      remedy: `Compare \`landbridge status\` of both; the problems of ${config.name} say more.`,
      sinceMs: clock.wallMs(),
    }
  }
}

function peerAway(peer: string): LandbridgeError {
  return new LandbridgeError('ERR_PEER_AWAY', `${peer} is not connected, and cannot be asked`, {
    retryable: true,
    remedy: 'See why it is away: landbridge status.',
  })
}
