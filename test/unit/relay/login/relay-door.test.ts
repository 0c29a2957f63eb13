import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { RelayLimits } from '../../../../src/relay/relay-server.ts'
import { FakeClock } from '../../../helpers/fake-clock.ts'
import { FolderBinlogStore } from '../../../helpers/relay/folder-binlog-store.ts'
import { plainRelay } from '../../../helpers/relay/plain-relay.ts'
import { RelayClient } from '../../../helpers/relay/relay-client.ts'
import { BinlogBytes } from '../../../helpers/source/binlog-bytes.ts'
import { temporaryFolder } from '../../../helpers/spool/spool-fixture.ts'

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let stopping: AbortController
let running: Promise<void>
let clients: RelayClient[]
let clock: FakeClock

beforeEach(async () => {
  folder = await temporaryFolder()
  stopping = new AbortController()
  clients = []
  clock = new FakeClock()
})

afterEach(async () => {
  for (const client of clients) client.destroy()
  stopping.abort()
  await running
  await folder[Symbol.asyncDispose]()
})

async function serve(limits: Partial<RelayLimits> = {}) {
  const store = new FolderBinlogStore(folder.path, 'mysql')
  const file = { ordinal: 1, name: 'b.000001', gtidsBefore: '' }
  await store.put(file, new BinlogBytes().previousGtids('').take(), '')
  const relay = plainRelay(store, clock, { limits })
  running = relay.run(stopping.signal)
  return { relay, port: await relay.ready({ signal: stopping.signal }) }
}

async function login(port: number, password = 'right'): Promise<RelayClient> {
  const client = await RelayClient.login({ port, user: 'replica', password, tls: false })
  clients.push(client)
  return client
}

describe('the door of a relay', () => {
  test('answers a wrong password later each time, a right one at once', async () => {
    const { relay, port } = await serve()
    for (let count = 0; count < 3; count += 1) await expect(login(port, 'wrong')).rejects.toThrow()
    const late = expect(login(port, 'wrong')).rejects.toThrow('Access denied')
    await expect.poll(() => relay.status().refused[0]?.connections).toBe(4)
    await login(port)
    await expect.poll(() => relay.status().connections).toBe(2)
    await clock.advance(200)
    await late
  })

  test('makes place for a newcomer, and tells who comes too often with an error', async () => {
    const limits = { greetingsPerAddressMax: 2, arrivalsPerSecondMax: 3 }
    const { relay, port } = await serve(limits)
    const strangers: RelayClient[] = []
    for (let count = 0; count < 5; count += 1) {
      const stranger = await RelayClient.connect(port)
      clients.push(stranger)
      strangers.push(stranger)
      await stranger.need()
    }
    expect(await strangers[0]?.next()).toBeUndefined()
    await login(port)
    const refused = await (await RelayClient.connect(port)).need()
    expect([refused[0], refused.readUInt16LE(1)]).toEqual([0xff, 1040])
    expect(relay.status().refused).toEqual([
      { reason: 'crowded', connections: 4 },
      { reason: 'too-often', connections: 1 },
    ])
  })

  test('makes place for a login; the one that was silent for longest goes', async () => {
    const { relay, port } = await serve({ loginsPerAddressMax: 2 })
    const [first, second] = [await login(port), await login(port)]
    await first.ok('SET @a=1')
    const third = await login(port)
    expect((await second.need()).toString('latin1')).toContain('others need the place')
    expect(await second.next()).toBeUndefined()
    await first.ok('SET @a=1')
    await third.ok('SET @a=1')
    await expect.poll(() => relay.status().connections).toBe(2)
  })

  test('lets a login go that says nothing, whatever a packet that is never whole', async () => {
    const { relay, port } = await serve({ idleMs: 60_000 })
    const [silent, slow] = [await login(port), await login(port)]
    await clock.advance(59_000)
    await silent.ok('SET @a=1')
    slow.socket.write(Buffer.from('ff0000', 'hex'))
    await clock.advance(1_000)
    expect((await slow.need()).readUInt16LE(1)).toBe(4031)
    expect(await slow.next()).toBeUndefined()
    await silent.ok('SET @a=1')
    await clock.advance(60_000)
    expect((await silent.need()).toString('latin1')).toContain('because of inactivity')
    await expect.poll(() => relay.status().connections).toBe(0)
  })
})
