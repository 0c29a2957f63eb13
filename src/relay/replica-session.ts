import type { SecureContext } from 'node:tls'
import type { Clock } from '../base/clock.ts'
import { codeOf, describeError, errorFields, isAbortError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { Secret } from '../base/secret.ts'
import { parseMariadbGtidState } from '../binlog/mariadb-gtid-state.ts'
import { encodeEof, encodeOk, encodeServerError, type ServerError } from '../mysql/ok-packet.ts'
import { encodeResultSet } from '../mysql/result-set.ts'
import type { BinlogStore, SourceIdentity } from './binlog-store.ts'
import { dumpRefusal } from './dump-refusal.ts'
import {
  type DumpCommand,
  DumpFlag,
  decodeDump,
  decodeDumpGtid,
  decodeRegistration,
  type Registration,
} from './dump-request.ts'
import {
  type DumpStart,
  startByMariadbState,
  startByMysqlSet,
  startByPosition,
} from './dump-start.ts'
import { DumpStream } from './dump-stream.ts'
import { DumpUntil } from './dump-until.ts'
import { FilePin } from './file-pin.ts'
import { refuseLineageEnd, refuseOutdated } from './lineage-guard.ts'
import type { PacketChannel } from './packet-channel.ts'
import { answerQuery } from './query-answers.ts'
import { refuseOneTooMany } from './replica-limit.ts'
import {
  type DumpError,
  type ReplicaName,
  type ReplicaRecord,
  type ReplicaRegistry,
  replicaKey,
  type Supersedable,
  sentPosition,
} from './replica-registry.ts'
import { dumpRefused, malformedPacket, noSuchThread, unknownCommand } from './server-errors.ts'
import { type RelayIdentity, relayVersion } from './server-variables.ts'
import { login, type SessionDoor } from './session-login.ts'
import { SessionVariables } from './session-variables.ts'

export interface SessionOptions {
  readonly store: BinlogStore
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
  readonly address: string
  readonly channel: PacketChannel
  readonly door: SessionDoor
  readonly packetBytesMax: number
  /** What a replica says that it has applied; null when nobody can ask it. */
  readonly appliedBy: (replica: ReplicaName) => string | null
  /** What the source has, as it said last; null when that is not known. */
  readonly sourceGtids: () => string | null
  /** For how long a file stays needed after it was sent to a replica that nobody can ask. */
  readonly keepSentMs: number
  /** Ends another session of this relay; false when there is none of that number. */
  readonly kill: (connectionId: number) => boolean
}

/**
 *     greeting ──login──▶ idle ──dump command──▶ dumping ──▶ closed
 *        └── refused, too slow, gone ──▶ closed ◀── quit ──┘
 */
type SessionState =
  | { readonly state: 'greeting' }
  | { readonly state: 'idle'; readonly deprecateEof: boolean }
  | { readonly state: 'dumping'; readonly key: string }
  | { readonly state: 'closed' }

const Command = {
  Quit: 0x01,
  InitDatabase: 0x02,
  Query: 0x03,
  Ping: 0x0e,
  BinlogDump: 0x12,
  RegisterReplica: 0x15,
  BinlogDumpGtid: 0x1e,
  ResetConnection: 0x1f,
} as const

/** Errors that trying again cannot help: the replica is to stop and say so. */
const REFUSALS = new Set(['ERR_DUMP_REFUSED', 'ERR_GTID_SYNTAX', 'ERR_REPLICA_LIMIT'])
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
const STATEMENT_BYTES_MAX = 1024 * 1024
const FAREWELL_MS = 2_000
const NANOSECONDS_PER_MS = 1_000_000
/** Replicas ask for 30 s and more; what is shorter than this would be noise. */
const HEARTBEAT_MS_MIN = 10
const MARIADB_CAPABILITY_GTID = 4

/** One client's connection to the relay, from greeting to close. */
export class ReplicaSession implements Supersedable {
  readonly #options: SessionOptions
  readonly #variables = new SessionVariables()
  readonly #stopping = new AbortController()
  #state: SessionState = { state: 'greeting' }
  #registration: Registration | null = null
  #farewell: ServerError | null = null
  #pin: FilePin | null = null

  constructor(options: SessionOptions) {
    this.#options = options
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
      stop.removeEventListener('abort', cut)
      await this.#close()
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
  confirmPin(): void {
    this.#pin?.confirm()
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
    const options = { ...this.#options, flavor: source.flavor }
    const result = await login(channel, { ...options, serverVersion: relayVersion(source) })
    if (result === null) return
    this.#state = { state: 'idle', deprecateEof: result.deprecateEof }
    channel.payloadBytesMax = packetBytesMax
  }

  async #command(idle: Extract<SessionState, { state: 'idle' }>, stop: AbortSignal): Promise<void> {
    const { channel } = this.#options
    const packet = await channel.read()
    const command = packet?.payload[0]
    if (packet === undefined || command === Command.Quit || stop.aborted) {
      this.#state = { state: 'closed' }
      return
    }
    const body = packet.payload.subarray(1)
    switch (command) {
      case Command.Query:
        return this.#query(body.toString('utf8', 0, STATEMENT_BYTES_MAX), idle.deprecateEof)
      case Command.ResetConnection:
        this.#variables.clear()
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

  async #query(sql: string, deprecateEof: boolean): Promise<void> {
    const { channel, connectionId } = this.#options
    const answer = answerQuery(sql, { ...this.#options, session: this.#variables, connectionId })
    this.#options.log.debug({ sql: sql.slice(0, 200), answer: answer.kind }, 'statement')
    switch (answer.kind) {
      case 'ok':
        return channel.send(encodeOk())
      case 'error':
        return channel.send(encodeServerError(answer.error))
      case 'rows':
        return channel.send(...encodeResultSet(answer.result, { deprecateEof }))
      case 'kill': {
        const isKilled = this.#options.kill(answer.connectionId)
        const error = noSuchThread(answer.connectionId)
        return channel.send(isKilled ? encodeOk() : encodeServerError(error))
      }
    }
  }

  async #dump(command: DumpCommand, stop: AbortSignal): Promise<void> {
    const { channel, registry, store, address, log } = this.#options
    const named = this.#variables.first('replica_uuid', 'slave_uuid')
    // It becomes a key and a name elsewhere: nothing but a uuid is taken for one.
    const uuid = named !== null && UUID.test(named) ? named.toLowerCase() : null
    const key = replicaKey({ serverId: command.serverId, serverUuid: uuid })
    // mysqlbinlog calls itself 0 or 1 and registers nowhere: it must not replace a replica.
    const isReplica = this.#registration !== null || uuid !== null
    const record: ReplicaRecord = {
      serverId: command.serverId,
      serverUuid: uuid,
      address,
      state: 'greeting',
      sent: null,
      error: null,
    }
    this.#state = { state: 'dumping', key }
    if (isReplica) registry.begin(key, record, this)
    try {
      const error = await this.#stream(command, record, isReplica ? key : null, stop)
      if (error !== null) {
        const { code, remedy } = record.error ?? {}
        log.warn({ replica: key, code, remedy, reason: error.message }, 'dump refused')
        await channel.send(encodeServerError(error))
      }
    } catch (error) {
      if (isOurs(error)) record.error = this.#dumpError(error, record.error)
      throw error
    } finally {
      this.#state = { state: 'closed' }
      this.#pin = null
      if (isReplica) registry.end(key, record, this)
      else store.retain(`connection:${this.#options.connectionId}`, null)
    }
  }

  /** The error that the replica is to be told, null when there is none or no way to. */
  async #stream(
    command: DumpCommand,
    record: ReplicaRecord,
    key: string | null,
    stop: AbortSignal,
  ): Promise<ServerError | null> {
    const { channel, log } = this.#options
    let stream: DumpStream | null = null
    const signal = AbortSignal.any([stop, channel.closed])
    // Reading goes on, or the end of the connection would not be noticed.
    void this.#listen()
    try {
      if (key !== null) refuseOutdated(this.#options.store, key)
      const start = await this.#start(command)
      if (start === null) return null
      // Nothing is awaited between this and the pin: two new replicas do not get one place.
      if (key !== null) refuseOneTooMany(this.#options.store, key)
      stream = this.#createStream(command, start, record, key)
      const { name } = start.file
      const until = this.#variables.get('slave_until_gtid')?.slice(0, 200)
      log.info({ replica: key, file: name, offset: start.offset, until }, 'replica attached')
      await stream.run(signal)
      await channel.send(encodeEof())
      return null
    } catch (error) {
      if (channel.closed.aborted) return null
      if (isAbortError(error)) return stream?.isAtBoundary === false ? null : this.#farewell
      // A replica stops at this error and a person reads it; a defect here is retried instead.
      if (REFUSALS.has(codeOf(error))) {
        record.error = this.#dumpError(error, record.error)
        const { remedy } = record.error
        const text = describeError(error)
        return dumpRefused(remedy === undefined ? text : `${text}. ${remedy}`)
      }
      throw error
    } finally {
      log.info({ replica: key, sent: record.sent }, 'replica detached')
    }
  }

  #createStream(
    command: DumpCommand,
    start: DumpStart,
    record: ReplicaRecord,
    key: string | null,
  ): DumpStream {
    const { store, relay, source, channel, clock } = this.#options
    const { flavor } = source
    const pin = this.#createPin(record, key)
    this.#pin = pin
    return new DumpStream({
      store,
      channel,
      clock,
      flavor,
      start,
      serverId: relay.serverId,
      heartbeatMs: this.#heartbeatMs(),
      heartbeatV2: flavor === 'mysql' && (command.flags & DumpFlag.HeartbeatV2) !== 0,
      sendAnnotateRows: flavor === 'mariadb' && (command.flags & DumpFlag.SendAnnotateRows) !== 0,
      checksum: this.#wantsChecksum(),
      nonBlocking: (command.flags & DumpFlag.NonBlock) !== 0 || command.serverId === 0,
      onFile: (file) => pin.reach(file),
      beforeNext: (file) => refuseLineageEnd(store, key ?? 'ID', file.epoch),
      onProgress: (file, offset, caughtUp) => {
        if (caughtUp) record.error = null
        record.state = caughtUp ? 'caught-up' : 'streaming'
        record.sent = sentPosition(file, offset)
      },
    })
  }

  #dumpError(error: unknown, before: DumpError | null): DumpError {
    const known = errorFields(error)
    const atMs = this.#options.clock.wallMs()
    const sinceMs = before?.code === known.code ? before.sinceMs : atMs
    return { ...known, message: describeError(error), atMs, sinceMs }
  }

  #createPin(record: ReplicaRecord, key: string | null): FilePin {
    const { store, clock, connectionId, appliedBy, keepSentMs } = this.#options
    // A reader of files keeps what it has.
    if (key === null) {
      const id = `connection:${connectionId}`
      return new FilePin({ store, clock, id, applied: () => null, keepSentMs: 0 })
    }
    return new FilePin({ store, clock, id: key, applied: () => appliedBy(record), keepSentMs })
  }

  /** Null when what it needs is still to come: closing makes the replica try again. */
  async #start(command: DumpCommand): Promise<DumpStart | null> {
    const { store, source, sourceGtids } = this.#options
    const atSource = sourceGtids()
    if (store.end() === null || store.files().length === 0) return null
    if (this.#variables.first('source_binlog_checksum', 'master_binlog_checksum') === null) {
      throw dumpRefusal('the replica is too old to know checksums in the binlog')
    }
    if (command.gtids !== null) {
      if (source.flavor === 'mysql') return startByMysqlSet(store, source, command, atSource)
      throw dumpRefusal('the source is MariaDB: a MySQL replica cannot follow it by GTID')
    }
    const connectState = this.#variables.get('slave_connect_state')
    if (source.flavor === 'mariadb' && connectState !== null) {
      if (Number(this.#variables.get('mariadb_slave_capability')) < MARIADB_CAPABILITY_GTID) {
        throw dumpRefusal('the replica is older than MariaDB 10.0 and knows no GTIDs')
      }
      const isOn = (name: string) => Number(this.#variables.get(name)) !== 0
      return startByMariadbState(store, {
        connectState,
        strict: isOn('slave_gtid_strict_mode'),
        atSource,
        until: this.#until(),
        ignoreDuplicates: isOn('slave_gtid_ignore_duplicates'),
      })
    }
    if (this.#registration !== null) {
      throw dumpRefusal(
        source.flavor === 'mysql'
          ? 'replicas attach by GTID only: CHANGE REPLICATION SOURCE TO SOURCE_AUTO_POSITION=1'
          : 'replicas attach by GTID only: CHANGE MASTER TO MASTER_USE_GTID=slave_pos',
      )
    }
    return startByPosition(store, command.file, command.position)
  }

  /** MariaDB: where the replica wants the dump to end, null for never. */
  #until(): DumpUntil | null {
    const places = this.#variables.get('slave_until_gtid')
    if (places === null) return null
    const isBefore = Number(this.#variables.get('slave_gtid_until_before_gtids')) !== 0
    return new DumpUntil({ places: parseMariadbGtidState(places), isBefore })
  }

  #heartbeatMs(): number {
    const text = this.#variables.first('source_heartbeat_period', 'master_heartbeat_period')
    const periodMs = Number(text ?? 0) / NANOSECONDS_PER_MS
    return periodMs > 0 ? Math.max(periodMs, HEARTBEAT_MS_MIN) : 0
  }

  #wantsChecksum(): boolean {
    const value = this.#variables.first('source_binlog_checksum', 'master_binlog_checksum')
    return value?.toUpperCase() === 'CRC32'
  }

  /** A replica says nothing during its dump; whatever comes is its end. */
  async #listen(): Promise<void> {
    const { channel } = this.#options
    await channel.read().catch(() => undefined)
    channel.destroy()
  }
}

function isOurs(error: unknown): boolean {
  return !isAbortError(error) && codeOf(error) !== 'ERR_REPLICA_GONE'
}
