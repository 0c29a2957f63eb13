import type { SourceIdentity } from '../../binlog/log.ts'
import { parseMariadbGtidState } from '../../binlog/mariadb-gtid-state.ts'
import { countMysqlGtidMembers } from '../../binlog/mysql-gtid-set.ts'
import { replicaKey } from '../../mysql/replica-name.ts'
import type { SessionVariables } from '../query/session-variables.ts'
import type { ServedLog } from '../served-log.ts'
import { dumpRefusal } from './dump-refusal.ts'
import { type DumpCommand, DumpFlag, type Registration } from './dump-request.ts'
import {
  type AtSource,
  type DumpStart,
  startByMariadbState,
  startByMysqlSet,
  startByPosition,
} from './dump-start.ts'
import { DumpUntil } from './dump-until.ts'

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
const NANOSECONDS_PER_MS = 1_000_000
/** Replicas ask for 30 s and more; what is shorter than this would be noise. */
const HEARTBEAT_MS_MIN = 10
const MARIADB_CAPABILITY_GTID = 4
/** What a position takes in memory, measured: by bytes of a set, its members, bytes of a state. */
const MEMORY_PER_SET_BYTE = 5
const MEMORY_PER_MEMBER = 850
const MEMORY_PER_STATE_BYTE = 32

/** The server_uuid that a session has given itself, null for none. */
export function uuidOf(variables: SessionVariables): string | null {
  const named = variables.first('replica_uuid', 'slave_uuid')
  // It becomes a key and a name elsewhere: nothing but a uuid is taken for one.
  return named !== null && UUID.test(named) ? named.toLowerCase() : null
}

/** What a client wants of its dump, by its command and what its session said before. */
export class DumpWish {
  readonly command: DumpCommand
  readonly uuid: string | null
  /** As relay and store name who asks. */
  readonly key: string
  /** `mysqlbinlog` calls itself 0 or 1 and registers nowhere: it must not replace a replica. */
  readonly isReplica: boolean
  readonly heartbeatMs: number
  /** Whether the client expects a CRC32 before it has seen a format description. */
  readonly checksum: boolean
  readonly #isRegistered: boolean
  readonly #variables: SessionVariables

  constructor(
    command: DumpCommand,
    variables: SessionVariables,
    registration: Registration | null,
  ) {
    this.command = command
    this.#variables = variables
    this.#isRegistered = registration !== null
    this.uuid = uuidOf(variables)
    this.key = replicaKey({ serverId: command.serverId, serverUuid: this.uuid })
    this.isReplica = this.#isRegistered || this.uuid !== null
    this.heartbeatMs = this.#heartbeatMs()
    this.checksum = this.#checksum()?.toUpperCase() === 'CRC32'
  }

  /** One of DumpFlag. */
  hasFlag(flag: number): boolean {
    return (this.command.flags & flag) !== 0
  }

  get nonBlocking(): boolean {
    return this.hasFlag(DumpFlag.NonBlock) || this.command.serverId === 0
  }

  /** Where MariaDB is to end it, for people. */
  get untilText(): string | undefined {
    return this.#variables.get('slave_until_gtid')?.slice(0, 200)
  }

  /** What the positions in it may take for as long as the dump lasts. */
  get memoryBytes(): number {
    const set = this.command.gtids ?? Buffer.alloc(0)
    const ofMembers = countMysqlGtidMembers(set) * MEMORY_PER_MEMBER
    const stateBytes = this.#variables.get('slave_connect_state')?.length ?? 0
    return set.length * MEMORY_PER_SET_BYTE + ofMembers + stateBytes * MEMORY_PER_STATE_BYTE
  }

  /** Null when what it needs is still to come: closing makes the replica try again. */
  async start(
    store: ServedLog,
    source: SourceIdentity,
    atSource: AtSource,
  ): Promise<DumpStart | null> {
    const { command } = this
    if (store.end() === null || store.files().length === 0) return null
    if (this.#checksum() === null) {
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
    if (this.#isRegistered) {
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

  #checksum(): string | null {
    return this.#variables.first('source_binlog_checksum', 'master_binlog_checksum')
  }
}
