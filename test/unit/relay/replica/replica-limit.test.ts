import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ByteWriter } from '../../../../src/base/cursor.ts'
import type { Flavor } from '../../../../src/base/flavor.ts'
import type { LogFile } from '../../../../src/binlog/log.ts'
import type { RelayServer } from '../../../../src/relay/relay-server.ts'
import { CLAIMS_MAX } from '../../../../src/spool/claims.ts'
import { recordedFile } from '../../../helpers/fixtures.ts'
import { plainRelay } from '../../../helpers/relay/plain-relay.ts'
import { RelayClient } from '../../../helpers/relay/relay-client.ts'
import { dumpByGtid, event, types } from '../../../helpers/relay/relay-dump.ts'
import {
  epochBeginning,
  epochSource,
  SpoolFixture,
  temporaryFolder,
  until,
} from '../../../helpers/spool/spool-fixture.ts'

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let fixture: SpoolFixture
let stopping: AbortController
let relay: RelayServer
let running: Promise<void>
let clients: RelayClient[]

beforeEach(async () => {
  folder = await temporaryFolder()
  fixture = await SpoolFixture.open(folder.path)
  stopping = new AbortController()
  clients = []
})

afterEach(async () => {
  for (const client of clients) client.destroy()
  stopping.abort()
  await running
  await fixture[Symbol.asyncDispose]()
  await folder[Symbol.asyncDispose]()
})

/** A relay over a real spool with one file, at a time when everybody may connect. */
async function serve(flavor: Flavor): Promise<number> {
  const { spool, store, writer, clock } = fixture
  await writer.rewind()
  await store.beginEpoch(epochBeginning(epochSource(flavor), 'first start'))
  writer.beginFile('binlog.000001', 0)
  await fixture.write(0, recordedFile(flavor, 1))
  relay = plainRelay(spool, clock)
  running = relay.run(stopping.signal)
  return await relay.ready({ signal: stopping.signal })
}

async function login(port: number): Promise<RelayClient> {
  const client = await RelayClient.login({ port, user: 'replica', password: 'right', tls: false })
  clients.push(client)
  return client
}

/** As the relay names replica `number`: by uuid on MySQL, by server_id on MariaDB. */
function idOf(flavor: Flavor, number: number): string {
  const digits = String(number).padStart(12, '0')
  return flavor === 'mysql' ? `aaaaaaaa-0000-0000-0000-${digits}` : `id:${number}`
}

/** Replica `number` comes and asks for everything. */
async function ask(port: number, flavor: Flavor, number: number): Promise<RelayClient> {
  const client = await login(port)
  if (flavor === 'mysql') {
    await dumpByGtid(client, '', { uuid: idOf(flavor, number), serverId: number })
    return client
  }
  const registration = new ByteWriter().u32(number).u8(0).u8(0).u8(0).u16(3306).u32(0).u32(0)
  client.command(0x15, registration.take())
  expect((await client.need())[0]).toBe(0)
  await client.ok('SET @master_binlog_checksum= @@global.binlog_checksum')
  await client.ok('SET @mariadb_slave_capability=4')
  await client.ok("SET @slave_connect_state=''")
  client.command(0x12, new ByteWriter().u32(4).u16(2).u32(number).take())
  return client
}

describe.each(['mysql', 'mariadb'] as const)(
  'a login that is another %s replica each time',
  (f) => {
    const pinned = () =>
      fixture.spool.claims.list().map(({ claim }) => claim.slice('replica:'.length))

    async function full(): Promise<number> {
      const port = await serve(f)
      const file = fixture.spool.files()[0] as LogFile
      for (let number = 1; number < CLAIMS_MAX; number += 1)
        fixture.spool.claims.confirm(`replica:${idOf(f, number)}`, file)
      await types(await ask(port, f, CLAIMS_MAX), 3)
      expect(pinned()).toHaveLength(CLAIMS_MAX)
      return port
    }

    test('is refused with a remedy once so many are remembered, also after a restart', async () => {
      const port = await full()
      const stranger = await ask(port, f, 9_999)
      const told = /as many replicas as a relay remembers.*landbridge replica detach ID/
      await expect(event(stranger)).rejects.toThrow(told)
      expect(await stranger.next()).toBeUndefined()
      expect(pinned()).not.toContain(idOf(f, 9_999))
      expect(relay.status().dumpError).toMatchObject({
        code: 'ERR_REPLICA_LIMIT',
        replica: idOf(f, 9_999),
        remedy: expect.stringContaining('replica detach'),
      })
      stopping.abort()
      await running
      await fixture[Symbol.asyncDispose]()
      fixture = await SpoolFixture.open(folder.path)
      expect(pinned()).toHaveLength(CLAIMS_MAX)
      expect(fixture.spool.claims.hasPlaceFor(`replica:${idOf(f, 9_999)}`)).toBe(false)
      expect(fixture.spool.claims.hasPlaceFor(`replica:${idOf(f, 1)}`)).toBe(true)
    })

    test('costs no replica that is remembered its place, nor a reader of files', async () => {
      const port = await full()
      await expect(event(await ask(port, f, 9_999))).rejects.toThrow(/as many replicas/)
      for (const number of [1, CLAIMS_MAX]) await types(await ask(port, f, number), 3)
      const reader = await login(port)
      await reader.ok("SET @source_binlog_checksum = 'CRC32', @master_binlog_checksum = 'CRC32'")
      reader.command(0x12, new ByteWriter().u32(4).u16(1).u32(0).take())
      await types(reader, 3)
    })

    test('gets the place of one that was detached, and nobody gets it twice', async () => {
      const port = await full()
      expect(await fixture.spool.claims.release(idOf(f, 1))).toBe(true)
      const asked = await Promise.all([8_001, 8_002].map((number) => ask(port, f, number)))
      const answers = await Promise.allSettled(asked.map((client) => types(client, 3)))
      expect(answers.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
      expect(pinned()).toHaveLength(CLAIMS_MAX)
    })

    test('leaves one that is attached its files, though its place was taken', async () => {
      await full()
      const attached = idOf(f, CLAIMS_MAX)
      expect(await fixture.spool.claims.release(attached)).toBe(true)
      const file = fixture.spool.files()[0] as LogFile
      fixture.spool.claims.confirm(`replica:${idOf(f, 7_777)}`, file)
      expect(fixture.spool.claims.hasPlaceFor(`replica:${attached}`)).toBe(false)
      relay.confirmClaims()
      expect(pinned()).toContain(attached)
      await until(() => relay.status().replicas[0]?.state === 'caught-up')
    })
  },
)
