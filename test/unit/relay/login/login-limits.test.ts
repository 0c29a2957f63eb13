import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ByteWriter } from '../../../../src/base/cursor.ts'
import type { RelayLimits, RelayServer } from '../../../../src/relay/relay-server.ts'
import { FakeClock } from '../../../helpers/fake-clock.ts'
import { FolderBinlogStore, SOURCE_UUID } from '../../../helpers/relay/folder-binlog-store.ts'
import { plainRelay } from '../../../helpers/relay/plain-relay.ts'
import { RelayClient } from '../../../helpers/relay/relay-client.ts'
import { dumpByGtid, types } from '../../../helpers/relay/relay-dump.ts'
import { BinlogBytes } from '../../../helpers/source/binlog-bytes.ts'
import { temporaryFolder } from '../../../helpers/spool/spool-fixture.ts'

const QUERY = 0x03
const REGISTER = 0x15
const MIB = 1024 * 1024
/** What the sockets of both sides hold, when nobody reads. */
const DEAF_BYTES = 24 * MIB

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let stopping: AbortController
let running: Promise<void>
let clients: RelayClient[]
let clock: FakeClock
let store: FolderBinlogStore

beforeEach(async () => {
  folder = await temporaryFolder()
  stopping = new AbortController()
  clients = []
  clock = new FakeClock()
  store = new FolderBinlogStore(folder.path, 'mysql')
})

afterEach(async () => {
  for (const client of clients) client.destroy()
  stopping.abort()
  await running
  await folder[Symbol.asyncDispose]()
})

/** `extraBytes`: of one more event, larger than all that sockets hold. */
async function serve(
  limits: Partial<RelayLimits> = {},
  extraBytes = 0,
): Promise<{ readonly relay: RelayServer; readonly port: number }> {
  const bytes = new BinlogBytes().previousGtids('').mysqlTransaction(SOURCE_UUID, 1)
  if (extraBytes > 0) bytes.event(30, Buffer.alloc(extraBytes))
  const file = { ordinal: 1, name: 'b.000001', gtidsBefore: '' }
  await store.put(file, bytes.take(), `${SOURCE_UUID}:1`)
  const relay = plainRelay(store, clock, { limits: { arrivalsPerSecondMax: 100, ...limits } })
  running = relay.run(stopping.signal)
  return { relay, port: await relay.ready({ signal: stopping.signal }) }
}

async function login(port: number): Promise<RelayClient> {
  const client = await RelayClient.login({ port, user: 'replica', password: 'right', tls: false })
  clients.push(client)
  return client
}

async function numberOf(client: RelayClient, sql: string): Promise<number> {
  client.command(QUERY, sql)
  const reply = await client.need()
  return reply[0] === 0xff ? reply.readUInt16LE(1) : 0
}

async function idOf(client: RelayClient): Promise<number> {
  client.command(QUERY, 'SELECT connection_id()')
  for (let packets = 0; packets < 2; packets += 1) await client.need()
  const id = Number((await client.need()).toString('latin1', 1))
  await client.need()
  return id
}

async function register(client: RelayClient, serverId: number): Promise<void> {
  const body = new ByteWriter().u32(serverId).u8(0).u8(0).u8(0).u16(3306).u32(0).u32(0)
  client.command(REGISTER, body.take())
  expect((await client.need())[0]).toBe(0)
}

/** As a MariaDB replica says where it stands: the one thing that may be long. */
const position = (length: number) => `SET @slave_connect_state='${'x'.repeat(length)}'`

describe('a statement', () => {
  test('gets an error where its answer would be too large', async () => {
    const { port } = await serve()
    const client = await login(port)
    await client.ok(position(200_000))
    await client.ok('SET @x=@slave_connect_state, @slave_connect_state=NULL')
    const many = (count: number) => `SELECT ${Array.from({ length: count }, () => '@x').join()}`
    expect(await numberOf(client, many(2_000))).toBe(1038)
    expect(await numberOf(client, `SELECT ${'1,'.repeat(4_096)}1`)).toBe(1117)
    client.command(QUERY, many(16))
    const packets: Buffer[] = []
    while (packets.length < 19) packets.push(await client.need())
    expect(packets[17]?.length).toBeGreaterThan(16 * 200_000)
  })

  test('may not be long, but for the position of a replica, and that not often', async () => {
    const { port } = await serve()
    const client = await login(port)
    expect(await numberOf(client, `SELECT '${'x'.repeat(65_536)}'`)).toBe(1153)
    expect(await numberOf(client, position(600_000))).toBe(1153)
    for (let count = 0; count < 3; count += 1) await client.ok(position(200_000))
    expect(await numberOf(client, position(200_000))).toBe(1153)
  })

  test('sets no more variables than a replica has, all of it or nothing', async () => {
    const { port } = await serve()
    const client = await login(port)
    const value = 'x'.repeat(60_000)
    for (const name of ['@a', '@b', '@c', '@d']) await client.ok(`SET ${name}='${value}'`)
    expect(await numberOf(client, `SET @a=1, @y=@b, @z=@b`)).toBe(1038)
    client.command(QUERY, 'SELECT @y, @a')
    const packets: Buffer[] = []
    while (packets.length < 5) packets.push(await client.need())
    expect(packets[3]?.length).toBeGreaterThan(value.length)
    const many = Array.from({ length: 64 }, (_, at) => `@v${at}=1`).join()
    expect(await numberOf(client, `SET ${many}`)).toBe(1038)
    client.command(0x1f)
    expect((await client.need())[0]).toBe(0)
    await client.ok(`SET ${many}`)
  })
})

test('all logins together keep no more than they may: the largest goes', async () => {
  const { relay, port } = await serve({ memoryBytesMax: MIB })
  const [small, ...large] = await Promise.all(Array.from({ length: 5 }, () => login(port)))
  if (small === undefined) throw new Error('nobody came')
  await small.ok("SET @x='little'")
  for (const client of large) await client.ok(position(200_000)).catch(() => undefined)
  await expect.poll(() => relay.status().connections).toBe(3)
  await small.ok("SET @x='still here'")
})

describe('KILL', () => {
  test('ends a connection of the same replica, by uuid and by server_id', async () => {
    const { relay, port } = await serve()
    const uuid = 'aaaaaaaa-0000-0000-0000-000000000001'
    const dump = await login(port)
    const dumpId = await idOf(dump)
    await dumpByGtid(dump, '', { uuid })
    await types(dump, 3)
    const again = await login(port)
    await again.ok(`SET @slave_uuid='${uuid}'`)
    await again.ok(`KILL ${dumpId}`)
    await expect.poll(() => relay.status().replicas[0]?.state).toBe('disconnected')
    const [one, two] = [await login(port), await login(port)]
    const id = await idOf(one)
    for (const client of [one, two]) await register(client, 77)
    await two.ok(`KILL CONNECTION ${id}`)
    expect(await one.next()).toBeUndefined()
  })

  test('does not end a connection of anybody else', async () => {
    const { port } = await serve()
    const replica = await login(port)
    const id = await idOf(replica)
    await dumpByGtid(replica, '')
    await types(replica, 3)
    const stranger = await login(port)
    expect(await numberOf(stranger, `KILL ${id}`)).toBe(1095)
    await register(stranger, 9)
    expect(await numberOf(stranger, `KILL ${id}`)).toBe(1095)
    expect(await numberOf(stranger, 'KILL 4000000')).toBe(1094)
    const silent = await login(port)
    expect(await numberOf(stranger, `KILL ${await idOf(silent)}`)).toBe(1095)
    expect(replica.socket.destroyed).toBe(false)
  })
})

describe('a client that takes nothing', () => {
  async function isGone(relay: RelayServer): Promise<void> {
    await expect.poll(() => relay.status().connections).toBe(1)
    // What sockets take counts as taken: time goes on while they fill.
    while (relay.status().connections > 0) {
      await clock.advance(10_000)
      await sleep(10)
    }
  }

  test('is cut off in its dump', async () => {
    const { relay, port } = await serve({}, DEAF_BYTES)
    const client = await login(port)
    await dumpByGtid(client, '')
    client.socket.pause()
    await isGone(relay)
  })

  test('is cut off in an answer', async () => {
    const { relay, port } = await serve({ idleMs: 600_000 })
    const client = await login(port)
    await client.ok(position(200_000))
    await client.ok('SET @x=@slave_connect_state, @slave_connect_state=NULL')
    client.socket.pause()
    const sql = `SELECT ${Array.from({ length: 16 }, () => '@x').join()}`
    for (let at = 0; at < 10; at += 1) client.command(QUERY, sql)
    await isGone(relay)
  })
})

test('a dump whose file was removed ends, or its bytes would stay on the disk', async () => {
  const { relay, port } = await serve()
  const client = await login(port)
  await dumpByGtid(client, '')
  await types(client, 6)
  relay.confirmClaims()
  await expect.poll(() => relay.status().replicas[0]?.state).toBe('caught-up')
  store.readableBytes = () => 0
  relay.confirmClaims()
  await expect.poll(() => relay.status().replicas[0]?.state).toBe('disconnected')
})
