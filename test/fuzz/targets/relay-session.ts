import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ByteWriter } from '../../../src/base/cursor.ts'
import type { Flavor } from '../../../src/base/flavor.ts'
import { Secret } from '../../../src/base/secret.ts'
import { encodeMysqlGtidSet, parseMysqlGtidSet } from '../../../src/binlog/mysql-gtid-set.ts'
import { Capability } from '../../../src/mysql/capability.ts'
import { PacketWriter } from '../../../src/mysql/packet-writer.ts'
import { SOURCE_UNHEARD } from '../../../src/relay/dump/dump-start.ts'
import { LoginMemory } from '../../../src/relay/login/login-memory.ts'
import { LoginPlaces } from '../../../src/relay/login/login-places.ts'
import { PacketChannel } from '../../../src/relay/login/packet-channel.ts'
import { RelayTally } from '../../../src/relay/query/server-facts.ts'
import { ReplicaRegistry } from '../../../src/relay/replica/replica-registry.ts'
import { ReplicaSession } from '../../../src/relay/replica-session.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { recordedFacts, recordedFile } from '../../helpers/fixtures.ts'
import { FolderBinlogStore } from '../../helpers/relay/folder-binlog-store.ts'
import type { FuzzTarget } from '../engine/target.ts'
import { takeFlags, withFlags } from '../input/flags.ts'
import { MemorySocket } from '../input/memory-socket.ts'
import { joinParts, splitParts } from '../input/parts.ts'
import { CLIENT_STATEMENTS } from '../input/statements.ts'
import { StrictLog } from '../input/strict-log.ts'

const MYSQL = 1
const LOGGED_IN = 2
/** The bytes are packets as they are; else each part is made one. */
const RAW = 4
const LOGIN_BYTES_MAX = 64 * 1024
const PACKET_BYTES_MAX = 16 * 1024 * 1024
const TURNS_MAX = 20_000
const UNTIL = "SET @slave_until_gtid='0-1-5,1-1-2', @slave_gtid_until_before_gtids=1"
const EVENTS = "SHOW BINLOG EVENTS IN 'binlog.000002' FROM 4 LIMIT 2, 5"
const PASSWORD = 'right'

async function storeOf(flavor: Flavor, folder: string): Promise<FolderBinlogStore> {
  const store = new FolderBinlogStore(folder, flavor)
  const { middle, end } = recordedFacts(flavor)
  const [first, second] = [recordedFile(flavor, 1), recordedFile(flavor, 2)]
  await store.put({ ordinal: 1, name: 'binlog.000001', gtidsBefore: '' }, first, middle)
  await store.put({ ordinal: 2, name: 'binlog.000002', gtidsBefore: end }, second, end)
  return store
}

function sessionOn(socket: MemorySocket, store: FolderBinlogStore, log: StrictLog): ReplicaSession {
  const source = store.identity()
  assert(source !== null)
  const clock = new FakeClock()
  return new ReplicaSession({
    store,
    source,
    relay: { serverId: 4_200_000_001, serverUuid: '11111111-2222-3333-4444-555555555555' },
    user: 'replica',
    password: new Secret(PASSWORD),
    secureContext: null,
    isPlainAllowed: true,
    registry: new ReplicaRegistry(),
    clock,
    log,
    connectionId: 5,
    address: '127.0.0.1:5',
    host: '127.0.0.1',
    channel: new PacketChannel(socket, {
      payloadBytesMax: LOGIN_BYTES_MAX,
      clock,
      writeMs: 60_000,
    }),
    places: new LoginPlaces({
      loginsMax: 1,
      loginsPerAddressMax: 1,
      dumpsMax: 1,
      dumpsPerAddressMax: 1,
    }),
    memory: new LoginMemory({ bytesMax: 64 * 1024 }),
    idleMs: 60_000,
    door: {
      refused: () => undefined,
      wrongPassword: async () => undefined,
      letIn: () => true,
    },
    packetBytesMax: PACKET_BYTES_MAX,
    appliedBy: () => null,
    atSource: () => SOURCE_UNHEARD,
    keepSentMs: 0,
    server: () => ({ uptimeSeconds: 7, refused: 0, tally: new RelayTally(), sessions: [] }),
    kill: (id) => (id === 5 ? 'killed' : 'unknown'),
  })
}

/** The answer to the greeting that lets in. */
function rightAnswer(greeting: Buffer): Buffer {
  const versionEnd = greeting.indexOf(0, 5)
  const nonce = Buffer.concat([
    greeting.subarray(versionEnd + 5, versionEnd + 13),
    greeting.subarray(versionEnd + 32, versionEnd + 44),
  ])
  const plugin = greeting.toString('latin1', versionEnd + 45, greeting.length - 1)
  const algorithm = plugin.startsWith('caching') ? 'sha256' : 'sha1'
  const hash = (...parts: Buffer[]): Buffer =>
    createHash(algorithm).update(Buffer.concat(parts)).digest()
  const once = hash(Buffer.from(PASSWORD))
  const twice = hash(once)
  const mask = algorithm === 'sha1' ? hash(nonce, twice) : hash(twice, nonce)
  const scramble = once.map((byte, index) => byte ^ (mask[index] ?? 0))
  return response(plugin, Buffer.from(scramble))
}

function response(plugin: string, scramble: Buffer): Buffer {
  const capabilities = Capability.Protocol41 | Capability.SecureConnection | Capability.PluginAuth
  const head = new ByteWriter(128)
    .u32(capabilities)
    .u32(2 ** 24)
    .u8(45)
    .zeros(23)
  return head.textNul('replica').u8(scramble.length).bytes(scramble).textNul(plugin).take()
}

function packetsOf(bytes: Buffer, flags: number): Buffer {
  if (flags & RAW) return bytes
  const writer = new PacketWriter()
  const framed = splitParts(bytes).map((part) => {
    writer.sequence = flags & LOGGED_IN ? 0 : 1
    return writer.frame(part)
  })
  return Buffer.concat(framed)
}

async function run(input: Buffer, stores: Record<Flavor, FolderBinlogStore>): Promise<void> {
  const { flags, bytes } = takeFlags(input)
  const socket = new MemorySocket()
  const log = new StrictLog()
  const stop = new AbortController()
  const session = sessionOn(socket, stores[flags & MYSQL ? 'mysql' : 'mariadb'], log)
  let isOver = false
  const running = session.run(stop.signal).then(() => {
    isOver = true
  })
  if (flags & LOGGED_IN) {
    const writer = new PacketWriter()
    writer.sequence = 1
    socket.say(writer.frame(rightAnswer(socket.written())))
    for (let turns = 0; !session.isLoggedIn; turns += 1) await turn(turns)
  }
  socket.say(packetsOf(bytes, flags))
  socket.hangUp()
  for (let turns = 0; !isOver; turns += 1) await turn(turns)
  await running
  assert(socket.destroyed)
  log.check()
}

/** A session whose client has gone must end by itself: nothing here moves its clock. */
async function turn(turns: number): Promise<void> {
  assert(turns < TURNS_MAX, 'the session does not end')
  await new Promise((resolve) => setImmediate(resolve))
}

const command = (code: number, body: Uint8Array | string = ''): Buffer =>
  Buffer.concat([Buffer.from([code]), Buffer.from(body)])

function seeds(): Buffer[] {
  const set = encodeMysqlGtidSet(parseMysqlGtidSet(recordedFacts('mysql').middle))
  const gtidDump = new ByteWriter().u16(5).u32(7).u32(0).u64(4).u32(set.length).bytes(set).take()
  const fileDump = new ByteWriter().u32(4).u16(3).u32(0).text('binlog.000002').take()
  const registration = new ByteWriter().u32(7).lenencText('dr').u8(0).u8(0).u16(1).zeros(8).take()
  const said = CLIENT_STATEMENTS.slice(0, 11).map((sql) => command(3, sql))
  const commands = [
    [...said, command(0x15, registration), command(0x1e, gtidDump)],
    [...said, command(0x12, fileDump)],
    [...said, command(0x15, registration), command(0x12, fileDump)],
    [...said, command(3, UNTIL), command(0x15, registration), command(0x12, fileDump)],
    [
      command(0x0e),
      command(2, 'mysql'),
      command(0x1f),
      command(3, 'SHOW BINARY LOGS'),
      command(9),
      command(1),
    ],
    [command(10), command(12, Buffer.from([5, 0, 0, 0])), command(3, EVENTS)],
  ]
  const logins = [
    [response('caching_sha2_password', Buffer.alloc(32, 1))],
    [response('mysql_native_password', Buffer.alloc(20, 1)), Buffer.alloc(20, 2)],
    [response('', Buffer.alloc(0))],
  ]
  return [0, MYSQL].flatMap((flavor) => [
    ...commands.map((list) => withFlags(flavor | LOGGED_IN, joinParts(list))),
    ...logins.map((list) => withFlags(flavor, joinParts(list))),
    withFlags(flavor | RAW, packetsOf(joinParts(logins[1] ?? []), 0)),
    withFlags(flavor | RAW | LOGGED_IN, packetsOf(joinParts(commands[4] ?? []), LOGGED_IN)),
  ])
}

export const createTarget = async (): Promise<FuzzTarget> => {
  const folder = await mkdtemp(join(tmpdir(), 'landbridge-fuzz-'))
  const [mysql, mariadb] = ['mysql', 'mariadb'].map((name) => join(folder, name)) as [
    string,
    string,
  ]
  for (const path of [mysql, mariadb]) await mkdir(path)
  const stores = {
    mysql: await storeOf('mysql', mysql),
    mariadb: await storeOf('mariadb', mariadb),
  }
  return {
    inputBytesMax: 1500,
    seeds: seeds(),
    run: (input) => run(input, stores),
    close: async () => await rm(folder, { recursive: true, force: true }),
  }
}
