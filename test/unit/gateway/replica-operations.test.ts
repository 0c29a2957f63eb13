import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Journal } from '../../../src/api/journal.ts'
import { openApiOf } from '../../../src/api/open-api.ts'
import { OperationTable } from '../../../src/api/operation-table.ts'
import { systemClock } from '../../../src/base/clock.ts'
import { silentLog } from '../../../src/base/log.ts'
import { Secret } from '../../../src/base/secret.ts'
import type { SiteDatabaseConfig } from '../../../src/database/database-section.ts'
import type { GatewayConfig } from '../../../src/gateway/config/gateway-config.ts'
import { loadConfig } from '../../../src/gateway/config/load-config.ts'
import { replicaOperations } from '../../../src/gateway/replica-operations.ts'
import type { Stream } from '../../../src/gateway/stream.ts'
import { firstTerm, type TermRecord } from '../../../src/status/term-record.ts'
import { MemoryDisk } from '../../helpers/disk/memory-disk.ts'
import { PairFolder } from '../../helpers/pair/pair-folder.ts'

/** Two streams of a copy, whose database takes connections and never says a word. */
class Fixture implements AsyncDisposable {
  readonly journal = new Journal({
    ...{ path: '/data/journal.jsonl', clock: systemClock, log: silentLog },
    disk: new MemoryDisk(),
  })
  readonly table: OperationTable
  readonly connections = new Set<Socket>()
  readonly streams: { isChanging: boolean; term: TermRecord; ending: AbortSignal }[]
  /** Connections, over all the time. */
  taken = 0
  readonly #pair: PairFolder
  readonly #server: Server

  private constructor(pair: PairFolder, config: GatewayConfig, server: Server) {
    this.#pair = pair
    this.#server = server
    server.on('connection', (socket) => {
      this.taken += 1
      this.connections.add(socket.resume())
      socket.on('error', () => undefined).on('close', () => this.connections.delete(socket))
    })
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const { site, dataDir } = config
    this.streams = ['main', 'back'].map((name) => streamOf(config, name, port))
    const streams = this.streams as unknown as readonly Stream[]
    const operations = replicaOperations({ site, dataDir, streams, clock: systemClock })
    this.table = new OperationTable(operations, this.journal)
  }

  static async create(): Promise<Fixture> {
    const pair = await PairFolder.create()
    await pair.useDataDirectory()
    const config = await loadConfig(pair.at('gateway/azure.yaml'))
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new Fixture(pair, config, server)
  }

  /** Asks as root does, or as a peer. */
  async call(
    name: string,
    input: object = {},
    { signal, caller = 'socket' }: { signal?: AbortSignal; caller?: string } = {},
  ): Promise<unknown> {
    return await this.table.call({
      ...{ name: `replica.${name}`, input, caller, granted: 'operate' },
      signal: signal ?? new AbortController().signal,
      progress: () => undefined,
    })
  }

  /** One that waits for the database; its end, and what cancels it. */
  async begin(name: string, input: object): Promise<{ end: Promise<unknown>; stop: () => void }> {
    const stopping = new AbortController()
    const before = this.taken
    const end = this.call(name, input, { signal: stopping.signal }).catch((error: unknown) => error)
    await expect.poll(() => this.taken).toBeGreaterThan(before)
    return { end, stop: () => stopping.abort() }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.connections) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
    await this.#pair[Symbol.asyncDispose]()
  }
}

function streamOf({ streams }: GatewayConfig, name: string, port: number) {
  const database: SiteDatabaseConfig = {
    ...{ host: '127.0.0.1', port, user: 'landbridge', password: new Secret('x') },
    tls: {
      ...{ mode: 'off', caPem: null, fingerprint: null, client: null },
      allowPasswordWithoutTls: false,
    },
    ...{ serverId: null, flavor: 'auto' },
  }
  return {
    ...{ name, database, config: { ...streams[0], name, database } },
    ...{ isChanging: false, term: firstTerm('ec2'), ending: new AbortController().signal },
    half: { releaseReplica: async () => true },
  }
}

let one: Fixture
beforeEach(async () => {
  one = await Fixture.create()
})
afterEach(async () => {
  await one[Symbol.asyncDispose]()
})

const NOBODY = { relayHost: '127.0.0.1', stream: 'main' }

describe('operations on the replica of a copy', () => {
  test('are described for programs, with a permission and without a secret', () => {
    const text = JSON.stringify(openApiOf(one.table.list(), '1'))
    for (const name of ['attach', 'detach', 'status']) {
      expect(text).toContain(`/v1/operations/replica.${name}`)
    }
    const permissions = one.table.list().map(({ permission }) => permission)
    expect(permissions).toEqual(['operate', 'operate', 'read'])
  })

  test('take what the command line takes, and nothing else', async () => {
    for (const bad of [
      { waitSeconds: 0 },
      { waitSeconds: 3_601 },
      { delaySeconds: -1 },
      { delaySeconds: 0.5 },
      { filters: 'some' },
      { channel: 'x'.repeat(65) },
      { showPassword: true },
    ]) {
      const asked = one.call('attach', { ...NOBODY, ...bad })
      await expect(asked).rejects.toMatchObject({ code: 'ERR_OPERATION_INPUT' })
    }
    expect(one.connections.size).toBe(0)
  })

  test('need to know which stream is meant', async () => {
    for (const name of ['attach', 'detach', 'status']) {
      const remedy = expect.stringContaining('--stream: main, back')
      await expect(one.call(name)).rejects.toMatchObject({ code: 'ERR_USAGE', remedy })
      const asked = one.call(name, { stream: 'other' })
      await expect(asked).rejects.toMatchObject({ code: 'ERR_STREAM_UNKNOWN' })
    }
  })

  test('are refused at an origin, and while roles change', async () => {
    const [main] = one.streams
    if (main === undefined) throw new Error('no stream')
    main.term = firstTerm('azure')
    for (const name of ['attach', 'detach', 'status']) {
      await expect(one.call(name, { stream: 'main' })).rejects.toMatchObject({
        code: 'ERR_USAGE',
        message: 'azure is the origin of stream main: its database follows nobody',
      })
    }
    main.isChanging = true
    for (const name of ['attach', 'detach', 'status']) {
      await expect(one.call(name, { stream: 'main' })).rejects.toMatchObject({
        code: 'ERR_TERM_CHANGED',
        retryable: true,
      })
    }
  })

  test('have the replica of a stream to themselves while they change it', async () => {
    const first = await one.begin('attach', NOBODY)
    for (const name of ['attach', 'detach']) {
      await expect(one.call(name, NOBODY)).rejects.toMatchObject({
        code: 'ERR_OPERATION_BUSY',
        retryable: true,
      })
    }
    const other = await one.begin('detach', { ...NOBODY, stream: 'back' })
    const looking = await one.begin('status', { stream: 'main' })
    for (const { stop } of [first, other, looking]) stop()
    await Promise.all([first.end, other.end, looking.end])
    const again = await one.begin('detach', NOBODY)
    again.stop()
    expect(await again.end).toMatchObject({ code: 'ERR_OPERATION_CANCELLED' })
  })

  test('stop when they are cancelled, and the journal says how far they came', async () => {
    const { end, stop } = await one.begin('attach', NOBODY)
    stop()
    expect(await end).toMatchObject({
      code: 'ERR_OPERATION_CANCELLED',
      message: 'cancelled; the last step: nothing was done',
    })
    await expect.poll(() => one.connections.size).toBe(0)
    const lines = one.journal.entries(9).map(({ phase, detail }) => [phase, detail])
    expect(lines).toEqual([
      ['begun', expect.objectContaining({ stream: 'main', replace: false, filters: 'refuse' })],
      ['failed', expect.objectContaining({ code: 'ERR_OPERATION_CANCELLED' })],
    ])
  })

  test('end with the role of this site, and with the gateway', async () => {
    const [main] = one.streams
    if (main === undefined) throw new Error('no stream')
    for (const [isChanging, code] of [
      [false, 'ERR_OPERATION_CANCELLED'],
      [true, 'ERR_TERM_CHANGED'],
    ] as const) {
      const ending = new AbortController()
      Object.assign(main, { ending: ending.signal, isChanging: false })
      const { end } = await one.begin('attach', NOBODY)
      main.isChanging = isChanging
      ending.abort()
      expect(await end).toMatchObject({ code })
    }
  })

  test('connect to the database once, also where the relay listens everywhere', async () => {
    const { end, stop } = await one.begin('attach', { stream: 'main' })
    // Whoever connects and says nothing is counted by the server.
    await expect.poll(() => one.connections.size).toBe(1)
    expect(one.taken).toBe(1)
    stop()
    await end
  })

  test('all who look share one login, which those who hang up do not break', async () => {
    const first = await one.begin('status', { stream: 'main' })
    const leaving = new AbortController()
    const others = Array.from({ length: 15 }, () => {
      return one.call('status', { stream: 'main' }, { signal: leaving.signal }).catch(() => 'left')
    })
    const detaching = await one.begin('detach', NOBODY)
    expect(one.connections.size).toBe(2)
    first.stop()
    leaving.abort()
    expect(new Set(await Promise.all(others))).toEqual(new Set(['left']))
    detaching.stop()
    await detaching.end
    await expect.poll(() => one.connections.size).toBe(1)
    // It is the one of before.
    const again = one.call('status', { stream: 'main' }, { signal: AbortSignal.timeout(300) })
    await expect(again).rejects.toThrow()
    expect(one.taken).toBe(2)
  })

  test('a peer names no host that the certificate of the relay does not name', async () => {
    const foreign = { ...NOBODY, relayHost: 'relay.attacker.example' }
    await expect(one.call('attach', foreign, { caller: 'peer ec2' })).rejects.toMatchObject({
      code: 'ERR_OPERATION_DENIED',
    })
    expect(one.connections.size).toBe(0)
    const own = await one.begin('attach', foreign)
    own.stop()
    await own.end
  })
})
