import type { SecureContext } from 'node:tls'
import type { Clock } from '../base/clock.ts'
import { ByteReader } from '../base/cursor.ts'
import { codeOf, describeError, errorFields, isAbortError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { Secret } from '../base/secret.ts'
import type { SourceIdentity } from '../binlog/log.ts'
import { encodeOk, encodeServerError, type ServerError } from '../mysql/ok-packet.ts'
import type { Packet } from '../mysql/packet-decoder.ts'
import { type ReplicaName, replicaKey } from '../mysql/replica-name.ts'
import {
  type DumpCommand,
  decodeDump,
  decodeDumpGtid,
  decodeRegistration,
  type Registration,
} from './dump/dump-request.ts'
import type { AtSource } from './dump/dump-start.ts'
import { DumpWish, uuidOf } from './dump/dump-wish.ts'
import type { LoginMemory, MemoryShare } from './login/login-memory.ts'
import type { LoginPlaces, Place } from './login/login-places.ts'
import type { PacketChannel } from './login/packet-channel.ts'
import { login, type SessionDoor } from './login/session-login.ts'
import {
  dumpRefused,
  inactive,
  malformedPacket,
  placeNeeded,
  tooManyConnections,
  unknownCommand,
} from './query/server-errors.ts'
import type { ServerFacts, SessionFacts } from './query/server-facts.ts'
import { type RelayIdentity, relayVersion } from './query/server-variables.ts'
import { type KillResult, SessionStatements } from './query/session-statements.ts'
import { SessionVariables } from './query/session-variables.ts'
import type { ReplicaRecord, ReplicaRegistry, Supersedable } from './replica/replica-registry.ts'
import { ReplicaDump } from './replica-dump.ts'
import type { ServedLog } from './served-log.ts'

export interface SessionOptions {
  readonly store: ServedLog
  readonly source: SourceIdentity
  readonly relay: RelayIdentity
  readonly user: string
  readonly password: Secret
  readonly secureContext: SecureContext | null
  readonly isPlainAllowed: boolean
  readonly registry: ReplicaRegistry
  readonly clock: Clock
  readonly log: Log
  readonly connectionId: number
  /** Of the client, and with its port. */
  readonly host: string
  readonly address: string
  readonly channel: PacketChannel
  readonly door: SessionDoor
  readonly places: LoginPlaces
  readonly memory: LoginMemory
  readonly packetBytesMax: number
  /** After so long without a statement it is let go. */
  readonly idleMs: number
  /** What a replica says that it has applied; null when nobody can ask it. */
  readonly appliedBy: (replica: ReplicaName) => string | null
  /** What the source has, as it said last. */
  readonly atSource: () => AtSource
  /** For how long a file stays needed after it was sent to a replica that nobody can ask. */
  readonly keepSentMs: number
  /** What there is to say of the relay itself. */
  readonly server: () => ServerFacts
  /** Ends a session of this relay, if `by` may. */
  readonly kill: (connectionId: number, by: ReplicaSession) => KillResult
}

/**
 *     greeting ──login──▶ idle ──dump command──▶ dumping ──▶ closed
 *        └── refused, too slow, gone ──▶ closed ◀── quit ──┘
 */
type SessionState =
  | { readonly state: 'greeting' }
  | { readonly state: 'idle'; readonly deprecateEof: boolean }
  | { readonly state: 'dumping'; readonly key: string | null; readonly wish: DumpWish }
  | { readonly state: 'closed' }

const Command = {
  Quit: 0x01,
  InitDatabase: 0x02,
  Query: 0x03,
  Statistics: 0x09,
  ProcessInfo: 0x0a,
  ProcessKill: 0x0c,
  Ping: 0x0e,
  BinlogDump: 0x12,
  RegisterReplica: 0x15,
  BinlogDumpGtid: 0x1e,
  ResetConnection: 0x1f,
} as const

const FAREWELL_MS = 2_000
/** An answer of semi-sync or a farewell: nothing large is said while a dump runs. */
const DUMPING_BYTES_MAX = 1024
/** What every login may have of a packet that is not whole yet. */
const PACKET_BYTES_FREE = 64 * 1024

/** One client's connection to the relay, from greeting to close. */
export class ReplicaSession implements Supersedable {
  readonly #options: SessionOptions
  readonly #variables = new SessionVariables()
  readonly #stopping = new AbortController()
  #state: SessionState = { state: 'greeting' }
  #registration: Registration | null = null
  #farewell: ServerError | null = null
  #dumping: ReplicaDump | null = null
  #place: Place | null = null
  /** Since when it does what it does: dump, or wait for a command. */
  #sinceMs: number
  #record: ReplicaRecord | null = null
  readonly #share: MemoryShare
  readonly #statements: SessionStatements
  /** Ends the wait for the next command; null while there is none. */
  #waiting: AbortController | null = null

  constructor(options: SessionOptions) {
    this.#options = options
    this.#sinceMs = options.clock.monotonicMs()
    // What it holds has to be free at once: no farewell.
    this.#share = options.memory.share(options.host, () => {
      options.log.warn(
        { code: 'ERR_RELAY_MEMORY' },
        'reader: let go, since it made the relay keep most',
      )
      options.channel.destroy()
    })
    this.#statements = new SessionStatements({
      ...options,
      session: this.#variables,
      share: this.#share,
      kill: (connectionId) => options.kill(connectionId, this),
    })
  }

  /** As which replica it speaks, null while it has not said so. */
  get identity(): string | null {
    if (this.#state.state === 'dumping') return this.#state.key
    const serverUuid = uuidOf(this.#variables)
    if (serverUuid === null && this.#registration === null) return null
    return replicaKey({ serverUuid, serverId: this.#registration?.serverId ?? 0 })
  }

  /** For SHOW PROCESSLIST and the like; null before the login. */
  facts(): SessionFacts | null {
    if (!this.isLoggedIn) return null
    const { connectionId: id, user, address, clock, host } = this.#options
    const state = this.#state
    const isByGtid = state.state === 'dumping' && state.wish.command.gtids !== null
    const dump = isByGtid ? 'Binlog Dump GTID' : 'Binlog Dump'
    const known = this.#registration
    return {
      ...{ id, user, address },
      command: state.state === 'dumping' ? dump : 'Sleep',
      seconds: Math.floor((clock.monotonicMs() - this.#sinceMs) / 1_000),
      isCaughtUp: this.#record?.state === 'caught-up',
      replica: known && { ...known, host: known.host || host, uuid: this.#uuid() },
    }
  }

  #uuid(): string | null {
    return this.#state.state === 'dumping' ? this.#state.wish.uuid : uuidOf(this.#variables)
  }

  /** Only its own connections, by address and by the name that both gave themselves. */
  mayEnd(other: ReplicaSession): boolean {
    if (other === this) return true
    const isSameHost = this.#options.host === other.#options.host
    return isSameHost && this.identity !== null && this.identity === other.identity
  }

  get isLoggedIn(): boolean {
    return this.#state.state === 'idle' || this.#state.state === 'dumping'
  }

  /** Settles when the socket is closed. Never rejects: a bad client is not our failure. */
  async run(signal: AbortSignal): Promise<void> {
    const { log, door } = this.#options
    const stop = AbortSignal.any([signal, this.#stopping.signal])
    const cut = () => this.#cut()
    stop.addEventListener('abort', cut, { once: true })
    try {
      await this.#login()
      while (this.#state.state === 'idle') await this.#command(this.#state, stop)
    } catch (error) {
      if (isOurs(error) && this.#state.state === 'greeting') door.refused('malformed')
      else if (isOurs(error)) {
        log.warn(errorFields(error), `connection ended by an error: ${describeError(error)}`)
      }
    } finally {
      this.#state = { state: 'closed' }
      this.#variables.clear()
      this.#share.leave()
      stop.removeEventListener('abort', cut)
      await this.#close()
      this.#place?.leave()
    }
  }

  /** A newer connection of the same replica takes over. */
  supersede(): void {
    this.#farewell = dumpRefused(
      'a replica with the same server_uuid or server_id has connected; if these are two ' +
        'replicas, give each its own (remove auto.cnf of a copied data directory)',
    )
    this.#stopping.abort()
  }

  stop(): void {
    this.#stopping.abort()
  }

  /** Says again what the replica of this session needs, or less by now. */
  confirmClaim(): void {
    if (this.#dumping?.confirmClaim() === false) this.stop()
  }

  /** Others need what it has, or it was silent for too long. */
  #letGo(farewell: ServerError | null): void {
    this.#farewell = farewell
    if (this.#state.state === 'dumping') this.#stopping.abort()
    else if (this.#waiting === null) this.#options.channel.destroy()
    else this.#waiting.abort()
  }

  /** A dump ends by itself between two events, to say why; everything else is cut at once. */
  #cut(): void {
    const { channel, clock } = this.#options
    if (this.#state.state !== 'dumping') channel.destroy()
    else {
      // But not if the replica takes nothing any more.
      const late = clock.sleep(FAREWELL_MS, { signal: channel.closed })
      late.then(() => channel.destroy()).catch(() => undefined)
    }
  }

  async #close(): Promise<void> {
    const { channel, clock } = this.#options
    const done = new AbortController()
    const late = clock.sleep(FAREWELL_MS, { signal: done.signal }).catch(() => undefined)
    await Promise.race([channel.end().catch(() => undefined), late])
    done.abort()
    channel.destroy()
  }

  async #login(): Promise<void> {
    const { channel, source, packetBytesMax } = this.#options
    const door = { ...this.#options.door, letIn: () => this.#enter() }
    const options = { ...this.#options, flavor: source.flavor, door }
    const result = await login(channel, { ...options, serverVersion: relayVersion(source) })
    if (result === null) return
    this.#state = { state: 'idle', deprecateEof: result.deprecateEof }
    channel.payloadBytesMax = packetBytesMax
  }

  #enter(): boolean {
    const { places, host, door } = this.#options
    this.#place = places.enter(host, () => this.#letGo(placeNeeded()))
    return this.#place !== null && door.letIn()
  }

  /** Undefined when there is none any more. */
  async #nextCommand(): Promise<Packet | undefined> {
    const { channel, clock, idleMs, source } = this.#options
    const waiting = new AbortController()
    const done = new AbortController()
    this.#waiting = waiting
    // As its flavor does it: MariaDB only closes the connection.
    const farewell = source.flavor === 'mysql' ? inactive() : null
    const late = () => this.#letGo(farewell)
    clock.sleep(idleMs, { signal: done.signal }).then(late, () => undefined)
    try {
      return await channel.read(waiting.signal, (bytes) => {
        this.#share.keep('packet', bytes > PACKET_BYTES_FREE ? bytes : 0)
      })
    } finally {
      done.abort()
      this.#waiting = null
      this.#sinceMs = clock.monotonicMs()
      this.#place?.touch()
    }
  }

  async #command(idle: Extract<SessionState, { state: 'idle' }>, stop: AbortSignal): Promise<void> {
    const { channel } = this.#options
    const packet = await this.#nextCommand()
    const command = packet?.payload[0]
    if (packet === undefined || command === Command.Quit || stop.aborted) {
      this.#state = { state: 'closed' }
      if (packet === undefined && this.#farewell !== null) {
        channel.writer.sequence = 0
        channel.send(encodeServerError(this.#farewell)).catch(() => undefined)
      }
      return
    }
    const body = packet.payload.subarray(1)
    switch (command) {
      case Command.Query:
        return this.#statements.answer(body, idle.deprecateEof)
      case Command.Statistics:
        return this.#statements.statistics()
      case Command.ProcessInfo:
        return this.#statements.processes(idle.deprecateEof)
      case Command.ProcessKill:
        return this.#statements.kill(new ByteReader(body).u32())
      case Command.ResetConnection:
        this.#variables.clear()
        this.#share.keep('variables', 0)
        return channel.send(encodeOk())
      case Command.Ping:
      case Command.InitDatabase:
        return channel.send(encodeOk())
      case Command.RegisterReplica:
        this.#registration = decodeRegistration(body)
        return channel.send(encodeOk())
      case Command.BinlogDump:
        return this.#dump(decodeDump(body), stop)
      case Command.BinlogDumpGtid:
        return this.#dump(decodeDumpGtid(body), stop)
      case undefined:
        return channel.send(encodeServerError(malformedPacket()))
      default:
        return channel.send(encodeServerError(unknownCommand()))
    }
  }

  async #dump(command: DumpCommand, stop: AbortSignal): Promise<void> {
    const { channel, registry, store, address, log, clock } = this.#options
    const wish = new DumpWish(command, this.#variables, this.#registration)
    const key = wish.isReplica ? wish.key : null
    const seniority = key === null ? Number.POSITIVE_INFINITY : store.claims.seniority(key)
    if (!this.#place?.dump({ key, seniority })) {
      this.#state = { state: 'closed' }
      return channel.send(encodeServerError(tooManyConnections()))
    }
    const record: ReplicaRecord = {
      serverId: command.serverId,
      serverUuid: wish.uuid,
      address,
      state: 'greeting',
      sent: null,
      error: null,
    }
    this.#state = { state: 'dumping', key, wish }
    this.#sinceMs = clock.monotonicMs()
    this.#record = record
    if (key !== null) registry.begin(key, record, this)
    const dump = this.#createDump(wish, record, key)
    this.#dumping = dump
    // Reading goes on, or the end of the connection would not be noticed.
    void this.#listen()
    try {
      const error = await dump.run(stop)
      if (error !== null) {
        const { code, remedy } = record.error ?? {}
        const who = key === null ? {} : { replica: key }
        log.warn({ ...who, code, remedy, reason: error.message }, 'dump refused')
        await channel.send(encodeServerError(error))
      }
    } catch (error) {
      if (isOurs(error)) dump.failed(error)
      throw error
    } finally {
      this.#state = { state: 'closed' }
      this.#dumping = null
      if (key !== null) registry.end(key, record, this)
      else store.claims.letGo(`reader:${this.#options.connectionId}`)
    }
  }

  #createDump(wish: DumpWish, record: ReplicaRecord, key: string | null): ReplicaDump {
    return new ReplicaDump({
      ...this.#options,
      ...{ wish, record, key, share: this.#share },
      farewell: () => this.#farewell,
      onBegun: () => {
        this.#variables.clear()
        this.#share.keep('variables', 0)
      },
    })
  }

  /** A replica says nothing during its dump; whatever comes is its end. */
  async #listen(): Promise<void> {
    const { channel } = this.#options
    channel.payloadBytesMax = DUMPING_BYTES_MAX
    await channel.read().catch(() => undefined)
    channel.destroy()
  }
}

function isOurs(error: unknown): boolean {
  return !isAbortError(error) && codeOf(error) !== 'ERR_REPLICA_GONE'
}
