import assert from 'node:assert/strict'
import { constants } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { createSecureContext, type SecureContext } from 'node:tls'
import { abortable } from '../base/abortable.ts'
import { Backoff } from '../base/backoff.ts'
import type { Clock } from '../base/clock.ts'
import { Doorstep, type Guest } from '../base/doorstep.ts'
import { codeOf, describeError, isAbortError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { isLoopback } from '../base/loopback.ts'
import { ReasonLog } from '../base/reason-log.ts'
import { Refusals, type RefusedStatus } from '../base/refusals.ts'
import type { Secret } from '../base/secret.ts'
import { encodeEarlyServerError } from '../mysql/ok-packet.ts'
import { PacketWriter } from '../mysql/packet-writer.ts'
import type { ReplicaName } from '../mysql/replica-name.ts'
import type { ReplicaStatus } from '../status/status.ts'
import { type AtSource, SOURCE_UNHEARD } from './dump/dump-start.ts'
import { LoginMemory } from './login/login-memory.ts'
import { LoginPlaces } from './login/login-places.ts'
import { PacketChannel } from './login/packet-channel.ts'
import { PasswordGuesses } from './login/password-guesses.ts'
import type { SessionDoor } from './login/session-login.ts'
import { tooManyConnections } from './query/server-errors.ts'
import { RelayTally, type ServerFacts } from './query/server-facts.ts'
import { IDLE_SECONDS, WRITE_SECONDS } from './query/server-variables.ts'
import type { KillResult } from './query/session-statements.ts'
import { ReplicaRegistry } from './replica/replica-registry.ts'
import { ReplicaSession } from './replica-session.ts'
import type { ServedLog } from './served-log.ts'

export interface RelayLimits {
  /** Connections that have logged in and do not dump, in all and of one address. */
  readonly loginsMax: number
  readonly loginsPerAddressMax: number
  /** Dumps, in all and of one address. */
  readonly dumpsMax: number
  readonly dumpsPerAddressMax: number
  /** For how long a login that does not dump may say nothing. */
  readonly idleMs: number
  /** For how long a client may take nothing of what is sent to it. */
  readonly writeMs: number
  /** What all logins together may make the relay keep. */
  readonly memoryBytesMax: number
  /** Connections that have not logged in yet, in all and of one address. */
  readonly greetingsMax: number
  readonly greetingsPerAddressMax: number
  /** New connections of one address. */
  readonly arrivalsPerSecondMax: number
  /** From the connection to the end of the login. */
  readonly loginMs: number
  readonly loginPacketBytesMax: number
  readonly packetBytesMax: number
}

export interface RelayServerOptions {
  readonly store: ServedLog
  /** Port 0 lets the system choose; `ready` says which. */
  readonly listen: { readonly host: string; readonly port: number }
  readonly user: string
  readonly password: Secret
  /** PEM texts. Null is only good for a relay on loopback. */
  readonly tls: { readonly key: string | Secret; readonly certificate: string } | null
  /** Lets clients on this machine log in without TLS. Default false. */
  readonly allowPlainOnLoopback?: boolean
  readonly serverId: number
  readonly serverUuid: string
  readonly log: Log
  readonly clock: Clock
  readonly limits?: Partial<RelayLimits>
  /** What a replica says that it has applied; null when nobody can ask it. Default: nobody can. */
  readonly appliedBy?: (replica: ReplicaName) => string | null
  /** What the source has, as it said last. Default: it never said. */
  readonly atSource?: () => AtSource
  /** How long a file stays needed after it was sent to a replica that nobody can ask. */
  readonly keepSentMs?: number
}

/**
 *     down ──listen──▶ listening ──socket error──▶ down (retried)
 */
export interface RelayStatus {
  readonly state: 'down' | 'listening'
  readonly address: string | null
  readonly connections: number
  /** Connections that were turned away before they had logged in, since the start. */
  readonly refused: readonly RefusedStatus[]
  readonly replicas: readonly ReplicaStatus[]
  readonly lastError: {
    readonly code: string
    readonly message: string
    /** Wall clock when it was first so. */
    readonly sinceMs: number
  } | null
  /** What keeps a replica from being served, though it comes back again and again. */
  readonly dumpError: ReturnType<ReplicaRegistry['error']>
}

export const RELAY_LIMITS: RelayLimits = {
  loginsMax: 50,
  loginsPerAddressMax: 20,
  dumpsMax: 24,
  dumpsPerAddressMax: 12,
  idleMs: IDLE_SECONDS * 1_000,
  writeMs: WRITE_SECONDS * 1_000,
  memoryBytesMax: 16 * 1024 * 1024,
  greetingsMax: 32,
  greetingsPerAddressMax: 8,
  arrivalsPerSecondMax: 20,
  loginMs: 10_000,
  loginPacketBytesMax: 64 * 1024,
  packetBytesMax: 2 * 1024 * 1024,
}

/** Serves a store of binlog files to native replicas: a binlog server. */
export class RelayServer {
  readonly #options: RelayServerOptions
  readonly #limits: RelayLimits
  readonly #registry = new ReplicaRegistry()
  readonly #sessions = new Map<number, ReplicaSession>()
  readonly #running = new Set<Promise<void>>()
  readonly #refusals: Refusals
  readonly #doorstep: Doorstep
  readonly #guesses: PasswordGuesses
  readonly #places: LoginPlaces
  readonly #memory: LoginMemory
  readonly #tally = new RelayTally()
  readonly #startedMs: number
  readonly #listening = Promise.withResolvers<number>()
  #connectionId = 0
  #address: string | null = null
  #lastError: RelayStatus['lastError'] = null

  constructor(options: RelayServerOptions) {
    assert(options.tls !== null || isLoopback(options.listen.host), 'no TLS beyond loopback')
    this.#options = options
    this.#startedMs = options.clock.monotonicMs()
    const limits = { ...RELAY_LIMITS, ...options.limits }
    this.#limits = limits
    this.#refusals = new Refusals({ ...options, door: 'relay' })
    this.#guesses = new PasswordGuesses(options)
    this.#places = new LoginPlaces(limits)
    this.#memory = new LoginMemory({ bytesMax: limits.memoryBytesMax })
    this.#doorstep = new Doorstep({
      limits: {
        guestsMax: limits.greetingsMax,
        guestsPerAddressMax: limits.greetingsPerAddressMax,
        arrivalsPerSecondMax: limits.arrivalsPerSecondMax,
        guestMs: limits.loginMs,
      },
      clock: options.clock,
      onDismissed: (why, address) => this.#refusals.add(why, address),
    })
  }

  /** Settles on abort, when the port and every connection are closed. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, tls } = this.#options
    const key = typeof tls?.key === 'object' ? tls.key.reveal() : tls?.key
    const secureContext =
      tls === null || key === undefined
        ? null
        : createSecureContext({
            key,
            cert: tls.certificate,
            minVersion: 'TLSv1.2',
            // A handshake is the dearest thing that a stranger can ask for: one a connection.
            secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
          })
    const backoff = new Backoff({ clock })
    const reasons = new ReasonLog(this.#options)
    while (!signal.aborted) {
      try {
        await this.#serve(secureContext, backoff, signal)
      } catch (error) {
        if (isAbortError(error)) break
        const [code, message] = [codeOf(error), describeError(error)]
        const isSame = this.#lastError?.code === code
        const sinceMs = isSame ? (this.#lastError?.sinceMs ?? 0) : clock.wallMs()
        this.#lastError = { code, message, sinceMs }
        reasons.warnOf('relay does not listen', error, this.#options.listen)
        await backoff.wait({ signal }).catch(() => undefined)
      } finally {
        this.#address = null
      }
    }
    await Promise.all(this.#running)
  }

  /** The bound port, once listening. */
  async ready(options: { readonly signal: AbortSignal }): Promise<number> {
    const { signal } = options
    return await abortable(this.#listening.promise, signal)
  }

  status(): RelayStatus {
    return {
      state: this.#address === null ? 'down' : 'listening',
      address: this.#address,
      connections: this.#sessions.size,
      refused: this.#refusals.status(),
      replicas: this.#registry.status(),
      lastError: this.#lastError,
      dumpError: this.#registry.error(this.#options.clock.wallMs()),
    }
  }

  /** To be called now and then: what connected replicas need counts from here. */
  confirmClaims(): void {
    for (const session of this.#sessions.values()) session.confirmClaim()
  }

  async #serve(
    secureContext: SecureContext | null,
    backoff: Backoff,
    signal: AbortSignal,
  ): Promise<void> {
    const { listen, log } = this.#options
    const server = createServer({ pauseOnConnect: true }, (socket) =>
      this.#accept(socket, secureContext, signal),
    )
    try {
      server.listen({ host: listen.host, port: listen.port })
      await once(server, 'listening', { signal })
      const { address, port } = server.address() as AddressInfo
      this.#address = `${address}:${port}`
      this.#lastError = null
      backoff.reset()
      this.#listening.resolve(port)
      log.info({ address: this.#address }, 'relay listens')
      await once(server, 'close', { signal })
    } finally {
      await closeServer(server)
    }
  }

  #accept(socket: Socket, secureContext: SecureContext | null, signal: AbortSignal): void {
    const { store } = this.#options
    const source = store.identity()
    const address = socket.remoteAddress
    // Nothing to serve yet: a closed connection is retried by every replica, an error may not be.
    if (source === null || store.end() === null || address === undefined || signal.aborted) {
      socket.destroy()
      return
    }
    const guest = this.#doorstep.enter(address, () => channel.destroy())
    if (guest === null) {
      refuse(socket)
      return
    }
    const limits = this.#limits
    const channel = new PacketChannel(socket, {
      payloadBytesMax: limits.loginPacketBytesMax,
      writeMs: limits.writeMs,
      clock: this.#options.clock,
    })
    this.#connectionId = (this.#connectionId % 0x7fff_ffff) + 1
    const connectionId = this.#connectionId
    const peer = `${address}:${socket.remotePort ?? 0}`
    const session = new ReplicaSession({
      store,
      source,
      relay: this.#options,
      user: this.#options.user,
      password: this.#options.password,
      secureContext,
      isPlainAllowed: this.#options.allowPlainOnLoopback === true && isLoopback(address),
      registry: this.#registry,
      clock: this.#options.clock,
      log: this.#options.log.child({ address: peer, connectionId }),
      connectionId,
      host: address,
      address: peer,
      channel,
      door: this.#doorOf(guest, address),
      places: this.#places,
      memory: this.#memory,
      packetBytesMax: limits.packetBytesMax,
      idleMs: limits.idleMs,
      appliedBy: this.#options.appliedBy ?? (() => null),
      atSource: this.#options.atSource ?? (() => SOURCE_UNHEARD),
      keepSentMs: this.#options.keepSentMs ?? Number.POSITIVE_INFINITY,
      kill: (id, by) => this.#kill(id, by),
      server: () => this.#facts(),
    })
    this.#sessions.set(connectionId, session)
    this.#tally.connections += 1
    const running = session.run(signal).finally(() => {
      guest.leave()
      this.#sessions.delete(connectionId)
      this.#running.delete(running)
    })
    this.#running.add(running)
  }

  #doorOf(guest: Guest, address: string): SessionDoor {
    return {
      refused: (reason) => this.#refusals.add(reason, address),
      wrongPassword: async (closed) => {
        this.#refusals.add('password', address)
        const waitMs = this.#guesses.wrongMs(address)
        if (waitMs === 0) return
        await this.#options.clock.sleep(waitMs, { signal: closed }).catch(() => undefined)
      },
      letIn: () => {
        guest.leave()
        this.#guesses.right(address)
        this.#tally.enter(this.#loggedIn() + 1)
        return true
      },
    }
  }

  #loggedIn(): number {
    let count = 0
    for (const session of this.#sessions.values()) if (session.isLoggedIn) count += 1
    return count
  }

  #facts(): ServerFacts {
    const { clock } = this.#options
    return {
      uptimeSeconds: Math.floor((clock.monotonicMs() - this.#startedMs) / 1_000),
      refused: this.#refusals.status().reduce((sum, { connections }) => sum + connections, 0),
      tally: this.#tally,
      sessions: [...this.#sessions.values()].flatMap((session) => session.facts() ?? []),
    }
  }

  #kill(connectionId: number, by: ReplicaSession): KillResult {
    const session = this.#sessions.get(connectionId)
    if (session === undefined) return 'unknown'
    if (!by.mayEnd(session)) return 'denied'
    session.stop()
    return 'killed'
  }
}

const REFUSAL = new PacketWriter().frame(encodeEarlyServerError(tooManyConnections()))

/** As a server does that has no place: an error instead of a greeting. */
function refuse(socket: Socket): void {
  socket.on('error', () => undefined)
  socket.end(REFUSAL, () => socket.destroy())
}

async function closeServer(server: Server): Promise<void> {
  if (!server.listening) return
  await new Promise<void>((resolve) => server.close(() => resolve()))
}
