import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ByteWriter } from '../../../src/base/cursor.ts'
import type { Flavor } from '../../../src/base/flavor.ts'
import { silentLog } from '../../../src/base/log.ts'
import type { RelayServer, RelayServerOptions } from '../../../src/relay/relay-server.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { FolderBinlogStore, SOURCE_UUID } from '../../helpers/relay/folder-binlog-store.ts'
import { plainRelay } from '../../helpers/relay/plain-relay.ts'
import { RelayClient } from '../../helpers/relay/relay-client.ts'
import { dumpByGtid, dumpFromState, event, types } from '../../helpers/relay/relay-dump.ts'
import { BinlogBytes } from '../../helpers/source/binlog-bytes.ts'

const OTHER_UUID = '11111111-2222-3333-4444-555555555555'
const QUIT = 0x01
const DUMP = 0x12
const REGISTER = 0x15

let directory: string
let stopping: AbortController
let running: Promise<void>[]
let clients: RelayClient[]
let clock: FakeClock

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'relay-'))
  stopping = new AbortController()
  running = []
  clients = []
  clock = new FakeClock()
})

afterEach(async () => {
  for (const client of clients) client.destroy()
  stopping.abort()
  await Promise.all(running)
  await rm(directory, { recursive: true, force: true })
})

async function serve(
  store: FolderBinlogStore,
  options: Partial<RelayServerOptions> = {},
): Promise<{ readonly relay: RelayServer; readonly port: number }> {
  const relay = plainRelay(store, clock, options)
  running.push(relay.run(stopping.signal))
  return { relay, port: await relay.ready({ signal: stopping.signal }) }
}

async function login(port: number, password = 'right'): Promise<RelayClient> {
  const client = await RelayClient.login({ port, user: 'replica', password, tls: false })
  clients.push(client)
  return client
}

const transactions = (file: BinlogBytes, from: number, to: number): BinlogBytes => {
  for (let number = from; number <= to; number += 1) file.mysqlTransaction(SOURCE_UUID, number)
  return file
}

async function mysqlStore(): Promise<FolderBinlogStore> {
  const store = new FolderBinlogStore(directory, 'mysql')
  const first = transactions(new BinlogBytes().previousGtids(''), 1, 3).rotate('b.000002')
  const file = { ordinal: 1, name: 'b.000001', gtidsBefore: '' }
  await store.put(file, first.take(), `${SOURCE_UUID}:1-3`)
  const second = transactions(new BinlogBytes().previousGtids(`${SOURCE_UUID}:1-3`), 4, 6)
  const next = { ordinal: 2, name: 'b.000002', gtidsBefore: `${SOURCE_UUID}:1-3` }
  await store.put(next, second.take(), `${SOURCE_UUID}:1-6`)
  return store
}

const FILE_START = [4, 15, 35]
const TRANSACTION = [33, 19, 16]

describe('a MySQL dump', () => {
  test('goes over all files for an empty replica, then waits with heartbeats', async () => {
    const store = await mysqlStore()
    const { relay, port } = await serve(store)
    const client = await login(port)
    await dumpByGtid(client, '')
    const group3 = [...TRANSACTION, ...TRANSACTION, ...TRANSACTION]
    expect(await types(client, 25)).toEqual([...FILE_START, ...group3, 4, ...FILE_START, ...group3])
    expect(relay.status().replicas).toMatchObject([
      { serverId: 9, state: 'caught-up', sent: { file: 'b.000002', epoch: 1 } },
    ])
    expect(store.claims.kept.get('replica:aaaaaaaa-0000-0000-0000-000000000000')).toBe('b.000001')
    await clock.advance(2000)
    const beat = await event(client)
    expect(beat.type).toBe(41)
    expect(beat.body.subarray(0, 10).toString('latin1')).toBe('\x01\x08b.000002')
    await expect.poll(() => relay.status().replicas[0]?.state).toBe('caught-up')
    const longer = transactions(new BinlogBytes().previousGtids(`${SOURCE_UUID}:1-3`), 4, 7)
    const file = { ordinal: 2, name: 'b.000002', gtidsBefore: `${SOURCE_UUID}:1-3` }
    await store.put(file, longer.take(), `${SOURCE_UUID}:1-7`)
    expect(await types(client, 3)).toEqual(TRANSACTION)
  })

  test('is logged when it comes and goes; a reader without an id by its address', async () => {
    const logged: string[] = []
    const note = (fields: object, message: string) => {
      if (/connected/.test(message)) logged.push(`${message} ${JSON.stringify(fields)}`)
    }
    const bindings: object[] = []
    const log = {
      ...silentLog,
      child: (fields: object) => {
        bindings.push(fields)
        return { ...silentLog, info: note }
      },
    }
    const { port } = await serve(await mysqlStore(), { log })
    for (const uuid of [OTHER_UUID, '']) {
      const client = await login(port)
      await dumpByGtid(client, '', { uuid })
      await types(client, 4)
      client.destroy()
      await expect.poll(() => logged.at(-1)).toContain('disconnected')
    }
    const [first, , reader, gone] = logged
    expect(first).toMatch(`replica connected {"replica":"${OTHER_UUID}"`)
    expect(reader).toMatch('reader connected {"file":')
    expect(gone).toMatch('reader disconnected {"sent":')
    expect(bindings[0]).toEqual({
      address: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
      connectionId: 1,
    })
    expect(JSON.stringify(bindings)).not.toContain(`:${port}"`)
  })

  test('keeps what its replica has not applied, for as long as it can be asked', async () => {
    const store = await mysqlStore()
    let applied = `${SOURCE_UUID}:1-2`
    const appliedBy = ({ serverId }: { readonly serverId: number }) =>
      serverId === 9 ? applied : null
    const { relay, port } = await serve(store, { appliedBy })
    const client = await login(port)
    await dumpByGtid(client, `${SOURCE_UUID}:1-5`)
    await types(client, 4)
    expect([...store.claims.kept.values()]).toEqual(['b.000001'])
    applied = `${SOURCE_UUID}:1-3`
    relay.confirmClaims()
    expect([...store.claims.kept.values()]).toEqual(['b.000002'])
  })

  test('begins where something is missing, and beats once for what it leaves out', async () => {
    const { port } = await serve(await mysqlStore())
    const client = await login(port)
    await dumpByGtid(client, `${SOURCE_UUID}:1-4`, { flags: 0 })
    const rotate = await event(client)
    expect([rotate.type, rotate.flags]).toEqual([4, 0x20])
    expect(rotate.body.toString('latin1', 8)).toBe('b.000002')
    const format = await event(client)
    expect(format.type).toBe(15)
    expect(format.body.readUInt32LE(52)).toBe(0)
    expect(await types(client, 2)).toEqual([35, 27])
    expect(await types(client, 6)).toEqual([...TRANSACTION, ...TRANSACTION])
  })

  test('goes on over the end of an epoch; a cut group there is sent as it is', async () => {
    const store = new FolderBinlogStore(directory, 'mysql')
    const cut = transactions(new BinlogBytes().previousGtids(''), 1, 2)
    cut.event(33, Buffer.alloc(42))
    const held = `${SOURCE_UUID}:1-2`
    await store.put({ ordinal: 1, name: 'b.000001', gtidsBefore: '' }, cut.take(), held)
    const fresh = transactions(new BinlogBytes().previousGtids(held), 3, 3)
    const again = { ordinal: 2, epoch: 2, name: 'b.000001', gtidsBefore: held }
    await store.put(again, fresh.take(), `${SOURCE_UUID}:1-3`)
    const { relay, port } = await serve(store)
    const client = await login(port)
    await dumpByGtid(client, '')
    expect(await types(client, 16)).toEqual([
      ...[...FILE_START, ...TRANSACTION, ...TRANSACTION, 33],
      ...[...FILE_START, ...TRANSACTION],
    ])
    expect(relay.status().replicas[0]?.sent).toMatchObject({ epoch: 2 })
  })

  test('of a damaged file shows in the status until a replica has come past it', async () => {
    const store = new FolderBinlogStore(directory, 'mysql')
    const file = { ordinal: 1, name: 'b.000001', gtidsBefore: '' }
    const whole = transactions(new BinlogBytes().previousGtids(''), 1, 1).take()
    const held = `${SOURCE_UUID}:1`
    await store.put(file, Buffer.concat([whole, Buffer.alloc(19)]), held)
    const { relay, port } = await serve(store)
    const startedMs = clock.wallMs()
    for (let attempt = 0; attempt < 2; attempt += 1) {
      const client = await login(port)
      await dumpByGtid(client, '')
      while ((await client.next()) !== undefined);
      await expect.poll(() => relay.status().connections).toBe(0)
      await clock.advance(60_000)
    }
    const error = { code: 'ERR_EVENT_SIZE', sinceMs: startedMs, atMs: startedMs + 60_000 }
    const replica = 'aaaaaaaa-0000-0000-0000-000000000000'
    expect(relay.status().dumpError).toMatchObject({ ...error, replica })
    await store.put(file, whole, held)
    const client = await login(port)
    await dumpByGtid(client, '')
    await types(client, 6)
    await expect.poll(() => relay.status().dumpError).toBeNull()
  })

  test('that failed of a replica that stays away is forgotten', async () => {
    const store = new FolderBinlogStore(directory, 'mysql')
    await store.put({ ordinal: 1, name: 'b.000001', gtidsBefore: '' }, Buffer.alloc(200), '')
    const { relay, port } = await serve(store)
    const client = await login(port)
    await dumpByGtid(client, '')
    expect(await client.next()).toBeUndefined()
    await expect.poll(() => relay.status().dumpError?.code).toBe('ERR_SPOOL_FILE')
    await clock.advance(601_000)
    expect(relay.status().dumpError).toBeNull()
  })

  test('beats for the next file once the rotate event to it is sent', async () => {
    const store = new FolderBinlogStore(directory, 'mysql')
    const file = transactions(new BinlogBytes().previousGtids(''), 1, 1).rotate('b.000002')
    const held = `${SOURCE_UUID}:1`
    await store.put({ ordinal: 1, name: 'b.000001', gtidsBefore: '' }, file.take(), held)
    const { port } = await serve(store)
    const client = await login(port)
    await dumpByGtid(client, '')
    expect(await types(client, 7)).toEqual([...FILE_START, ...TRANSACTION, 4])
    await clock.advance(2000)
    const beat = await event(client)
    // Field 1 is the name, field 2 the position: what the replica holds its own against.
    expect(beat.body.toString('latin1')).toBe('\x01\x08b.000002\x02\x01\x04\x00')
    const next = new BinlogBytes().previousGtids(held)
    await store.put({ ordinal: 2, name: 'b.000002', gtidsBefore: held }, next.take(), held)
    expect(await types(client, 3)).toEqual(FILE_START)
    await clock.advance(2000)
    const later = (await event(client)).body.toString('latin1')
    expect(later).toContain(`b.000002\x02\x01${String.fromCharCode(next.size)}`)
  })

  test('refuses a replica that has more of the source than is stored, and names it', async () => {
    const { port, relay } = await serve(await mysqlStore())
    const client = await login(port)
    await dumpByGtid(client, `${SOURCE_UUID}:1-8,${OTHER_UUID}:1-5`)
    await expect(event(client)).rejects.toThrow(`not stored here: ${SOURCE_UUID}:7-8`)
    expect(await client.next()).toBeUndefined()
    expect(relay.status().dumpError?.message).toContain(`not stored here: ${SOURCE_UUID}:7-8`)
  })

  test('refuses a replica that lacks what is purged, and names it', async () => {
    const store = new FolderBinlogStore(directory, 'mysql')
    const gtidsBefore = `${SOURCE_UUID}:1-3`
    const file = transactions(new BinlogBytes().previousGtids(gtidsBefore), 4, 4)
    await store.put(
      { ordinal: 7, name: 'b.000007', gtidsBefore },
      file.take(),
      `${SOURCE_UUID}:1-4`,
    )
    const client = await login((await serve(store)).port)
    await dumpByGtid(client, `${SOURCE_UUID}:1`)
    await expect(event(client)).rejects.toThrow(`lacks: ${SOURCE_UUID}:2-3`)
  })

  test('is refused to a replica of before a reset whose GTIDs fit, and to no other', async () => {
    const store = await mysqlStore()
    const uuid = 'aaaaaaaa-0000-0000-0000-000000000000'
    store.currentLineage = { epoch: 1, startedAtMs: 1_700_000_000_000 }
    store.claims.outdated = [uuid]
    const { port } = await serve(store)
    const client = await login(port)
    await dumpByGtid(client, `${SOURCE_UUID}:1-5`)
    await expect(event(client)).rejects.toThrow(
      /source was reset \(noticed 2023-11-14T.*backup taken after that.*replica detach aaaaaaaa-/,
    )
    expect(store.claims.kept.size).toBe(0)
    const other = await login(port)
    await dumpByGtid(other, `${SOURCE_UUID}:1-5`, { uuid: OTHER_UUID, serverId: 10 })
    expect(await types(other, 3)).toEqual(FILE_START)
  })

  test('ends with the lineage that it began in: what comes then is something else', async () => {
    const store = await mysqlStore()
    const { port } = await serve(store)
    const client = await login(port)
    await dumpByGtid(client, `${SOURCE_UUID}:1-6`)
    await types(client, 4)
    store.currentLineage = { epoch: 2, startedAtMs: 1_700_000_000_000 }
    const anew = transactions(new BinlogBytes().previousGtids(''), 1, 9)
    const file = { ordinal: 3, epoch: 2, name: 'b.000001', gtidsBefore: '' }
    await store.put(file, anew.take(), `${SOURCE_UUID}:1-9`)
    await expect(event(client)).rejects.toThrow(/source was reset/)
  })

  test('of a replica ends when the same replica dumps again', async () => {
    const { relay, port } = await serve(await mysqlStore())
    const [older, newer] = [await login(port), await login(port)]
    await dumpByGtid(older, '')
    await types(older, 25)
    await dumpByGtid(newer, '')
    await types(newer, 25)
    await expect(event(older)).rejects.toThrow('same server_uuid or server_id')
    expect(relay.status().replicas.length).toBe(1)
    newer.destroy()
    await expect.poll(() => relay.status().replicas[0]?.state).toBe('disconnected')
    await expect.poll(() => relay.status().connections).toBe(0)
  })

  test('by file and position is for tools: replicas are told to use GTIDs', async () => {
    const { port } = await serve(await mysqlStore())
    const client = await login(port)
    await client.ok("SET @source_binlog_checksum = 'NONE', @master_binlog_checksum = 'NONE'")
    const body = (position: number) =>
      new ByteWriter().u32(position).u16(1).u32(0).text('b.000001').take()
    client.command(DUMP, body(4))
    const rotate = await client.need()
    // Before the format description the reader expects no checksum.
    expect(rotate.length).toBe(1 + 19 + 8 + 'b.000001'.length)
    expect(await types(client, 2)).toEqual([15, 35])
    const odd = await login(port)
    await odd.ok("SET @source_binlog_checksum = 'NONE'")
    odd.command(DUMP, body(5))
    await expect(event(odd)).rejects.toThrow('no event begins at position 5')
    const replica = await login(port)
    await replica.ok("SET @source_binlog_checksum = 'CRC32'")
    const registration = new ByteWriter().u32(9).u8(0).u8(0).u8(0).u16(3306).u32(0).u32(0)
    replica.command(REGISTER, registration.take())
    expect((await replica.need())[0]).toBe(0)
    replica.command(DUMP, body(4))
    await expect(event(replica)).rejects.toThrow('SOURCE_AUTO_POSITION=1')
  })
})

describe('the door', () => {
  test('stays shut while nothing is stored', async () => {
    const { port } = await serve(new FolderBinlogStore(directory, 'mysql'))
    await expect(login(port)).rejects.toThrow('closed the connection')
  })

  test('is for those with the password, on TLS unless loopback is trusted', async () => {
    const store = await mysqlStore()
    const { port } = await serve(store)
    await expect(login(port, 'wrong')).rejects.toThrow("Access denied for user 'replica'")
    const strict = await serve(store, { allowPlainOnLoopback: false })
    await expect(login(strict.port)).rejects.toThrow('over TLS only')
  })

  test('closes on whoever does not log in in time', async () => {
    const { relay, port } = await serve(await mysqlStore(), { limits: { loginMs: 500 } })
    const client = await RelayClient.connect(port)
    clients.push(client)
    await client.need()
    await clock.advance(499)
    expect(relay.status().connections).toBe(1)
    await clock.advance(1)
    expect(await client.next()).toBeUndefined()
    await expect.poll(() => relay.status().connections).toBe(0)
  })

  test('closes on a packet that no login needs', async () => {
    const { port } = await serve(await mysqlStore())
    const client = await RelayClient.connect(port)
    clients.push(client)
    await client.need()
    client.socket.write(Buffer.from('ffffff01', 'hex'))
    expect(await client.next()).toBeUndefined()
  })

  test('survives whatever is sent to it, before and after the login', async () => {
    const limits = { arrivalsPerSecondMax: 100 }
    const { relay, port } = await serve(await mysqlStore(), { limits })
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
        const client = await RelayClient.connect(port)
        await client.need()
        client.send(Buffer.from(bytes))
        client.socket.end()
        while ((await client.next()) !== undefined);
        client.destroy()
      }),
      { numRuns: 30 },
    )
    const command = fc.constantFrom(3, 0x0e, 0x12, 0x15, 0x1e, 0x1f, 0x77)
    await fc.assert(
      fc.asyncProperty(command, fc.uint8Array({ maxLength: 80 }), async (code, bytes) => {
        const client = await login(port)
        client.command(code, Buffer.from(bytes))
        client.command(QUIT)
        while ((await client.next()) !== undefined);
        client.destroy()
      }),
      { numRuns: 60 },
    )
    await expect.poll(() => relay.status()).toMatchObject({ state: 'listening', connections: 0 })
  })

  test('answers statements as a server does', async () => {
    const { port } = await serve(await mysqlStore())
    const client = await login(port)
    const errorOf = async (sql: string): Promise<number> => {
      client.command(3, sql)
      const reply = await client.need()
      return reply[0] === 0xff ? reply.readUInt16LE(1) : 0
    }
    expect(await errorOf('SELECT @@global.rpl_semi_sync_source_enabled')).toBe(1193)
    expect(await errorOf('SET SESSION no_such = 1')).toBe(1193)
    expect(await errorOf('DELETE FROM x')).toBe(1235)
    expect(await errorOf('KILL 999')).toBe(1094)
    expect(await errorOf('SET net_write_timeout = 60, NAMES = 1')).toBe(1193)
    client.command(0x55)
    expect((await client.need()).readUInt16LE(1)).toBe(1047)
    client.command(QUIT)
    expect(await client.next()).toBeUndefined()
  })

  test('stops at once, also under a dump', async () => {
    const { relay, port } = await serve(await mysqlStore())
    const client = await login(port)
    await dumpByGtid(client, '')
    await types(client, 5)
    stopping.abort()
    await Promise.all(running)
    expect(relay.status()).toMatchObject({ state: 'down', connections: 0 })
  })
})

describe('a MariaDB dump', () => {
  const gtid = (text: string) => {
    const [domainId = 0, serverId = 0, sequence = 0] = text.split('-').map(Number)
    return { domainId, serverId, sequence: BigInt(sequence) }
  }
  const fileOf = (list: readonly string[], ...events: readonly string[]): BinlogBytes => {
    const file = new BinlogBytes().gtidList(...list.map(gtid))
    for (const text of events) file.mariadbTransaction(gtid(text))
    return file
  }

  async function mariadbStore(flavor: Flavor = 'mariadb'): Promise<FolderBinlogStore> {
    const store = new FolderBinlogStore(directory, flavor)
    const first = fileOf([], '0-1-1', '1-1-1', '0-1-2', '0-1-3').rotate('b.000002')
    await store.put({ ordinal: 1, name: 'b.000001', gtidsBefore: '' }, first.take(), '0-1-3,1-1-1')
    const second = fileOf(['0-1-3', '1-1-1'], '0-1-4', '1-1-2', '0-1-5')
    const next = { ordinal: 2, name: 'b.000002', gtidsBefore: '0-1-3,1-1-1' }
    await store.put(next, second.take(), '0-1-5,1-1-2')
    return store
  }

  async function dump(port: number, state: string, flags = 2): Promise<RelayClient> {
    const client = await login(port)
    await dumpFromState(client, state, { flags })
    return client
  }

  const START = [4, 15, 163]
  const GROUP = [162, 19, 16]

  test('leaves out per domain and says where each domain stands then', async () => {
    const { port } = await serve(await mariadbStore())
    const client = await dump(port, '0-1-2,1-1-1')
    expect(await types(client, 3)).toEqual(START)
    const list = await event(client)
    expect([list.type, list.flags]).toEqual([163, 0x20])
    expect(list.body.readUInt32LE(0)).toBe(2)
    // 0-1-3, the rotate event, then the whole next file.
    expect(await types(client, 4)).toEqual([...GROUP, 4])
    expect(await types(client, 12)).toEqual([...START, ...GROUP, ...GROUP, ...GROUP])
    await clock.advance(1000)
    expect((await event(client)).type).toBe(27)
  })

  test('begins with the newest file when the replica stands right before it', async () => {
    const { port } = await serve(await mariadbStore())
    const client = await dump(port, '0-1-3,1-1-1')
    expect(await types(client, 12)).toEqual([...START, ...GROUP, ...GROUP, ...GROUP])
  })

  test('sends a domain from its start to a replica that names none of it', async () => {
    const { port } = await serve(await mariadbStore())
    const client = await dump(port, '0-1-5')
    expect(await types(client, 6)).toEqual([...START, ...GROUP])
    expect((await event(client)).type).toBe(4)
    expect(await types(client, 3)).toEqual(START)
    expect(await types(client, 3)).toEqual(GROUP)
    expect((await event(client)).type).toBe(163)
  })

  test.each(['0-1-9', '0-2-5,1-1-1', '0-1-2,1-9-9'])('refuses a stranger: %s', async (state) => {
    const { port } = await serve(await mariadbStore())
    const client = await dump(port, state)
    const all = async () => {
      for (;;) await event(client)
    }
    await expect(all()).rejects.toThrow(/landbridge: the replica stands at/)
  })

  test('a position in a domain that is not stored is no obstacle', async () => {
    const { port } = await serve(await mariadbStore())
    const client = await dump(port, '0-1-3,1-1-1,7-3-100')
    expect(await types(client, 6)).toEqual([...START, ...GROUP])
  })
})
