import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, expect, onTestFailed, test } from 'vitest'
import type { ThrottleAnswer } from '../../src/gateway/throttle/throttle-schemas.ts'
import type { StreamStatus } from '../../src/status/status.ts'
import { describeFlavors } from '../helpers/needs.ts'
import { editThrottle } from '../helpers/pair/edit-throttle.ts'
import type { Site } from '../helpers/pair/loopback-pair.ts'
import { ReplicatedPair } from '../helpers/pair/replicated-pair.ts'

const KB = 1_000
const MB = 1_000 * KB
/** What takes effect has a second for that; a busy machine that is asked late has some more. */
const EFFECT_MS = 1_000

describeFlavors('a throttled %s pair', (flavor) => {
  // What is the same whatever the servers are.
  const isOnce = flavor === 'mariadb'
  let pair: ReplicatedPair

  beforeAll(async () => {
    // What is counted is what is sent: so that it can be compared with what is stored.
    pair = await ReplicatedPair.create(flavor, { gateways: { link: { compression: 'none' } } })
    const sql = await pair.sql()
    await sql.query(
      'CREATE DATABASE d; CREATE TABLE d.t (n INT AUTO_INCREMENT PRIMARY KEY, v LONGBLOB)',
    )
    sql.destroy()
  })
  beforeEach(() => onTestFailed(async () => console.error(await pair.logTails())))
  afterEach(() => ask('off'))
  afterAll(() => pair?.stop())

  /** Transactions of 100 kB, one after the other; returns the longest one, in milliseconds. */
  async function write(bytes: number): Promise<number> {
    const sql = await pair.sql()
    let longestMs = 0
    for (let done = 0; done < bytes; done += 100 * KB) {
      const startedMs = performance.now()
      await sql.query("INSERT INTO d.t (v) VALUES (REPEAT('v', 100000))")
      longestMs = Math.max(longestMs, performance.now() - startedMs)
    }
    sql.destroy()
    return longestMs
  }

  const ask = (verb: string, input: object = {}) =>
    pair.pair.operate<ThrottleAnswer>('production', `throttle.${verb}`, input)

  async function stream(site: Site): Promise<StreamStatus> {
    const [found] = (await pair.pair.status(site))?.streams ?? []
    if (found === undefined) throw new Error(`${site} does not answer`)
    return found
  }

  const received = async (): Promise<number> => (await stream('dr')).bytesReceived

  /** Bytes a second that come in the next `spanMs`. */
  async function rate(spanMs: number): Promise<number> {
    const [before, startedMs] = [await received(), performance.now()]
    await sleep(spanMs)
    return ((await received()) - before) / ((performance.now() - startedMs) / 1000)
  }

  async function whole(): Promise<void> {
    await pair.synced()
    expect(await pair.compareSpool()).toMatchObject({ identical: true, failures: [] })
    expect(await pair.compareTables()).toMatchObject({ equal: true, failures: [] })
  }

  /** What is wrong there, apart from warnings. */
  async function faults(site: Site): Promise<string[]> {
    const { problems = [] } = (await pair.pair.status(site)) ?? {}
    return problems.filter(({ severity }) => severity !== 'warning').map(({ code }) => code)
  }

  test('keeps a rate that is set live, within 5 percent, and changes it at once', async () => {
    await pair.synced()
    expect(await ask('set', { bytesPerSecond: MB })).toMatchObject({
      ...{ isOrigin: true, notStored: null },
      throttle: { bytesPerSecond: MB, by: 'operator', reason: 'set by an operator' },
    })
    await write(25 * MB)
    await sleep(4_000)
    const measured = await rate(10_000)
    expect(measured / MB).toBeGreaterThan(0.94)
    expect(measured / MB).toBeLessThan(1.06)
    const { throttle } = await stream('production')
    expect(throttle.measuredBytesPerSecond / MB).toBeGreaterThan(0.95)
    expect(throttle.measuredBytesPerSecond / MB).toBeLessThan(1.05)
    expect(throttle.waitingBytes).toBeGreaterThan(100 * KB)
    expect((await stream('dr')).throttle).toMatchObject({ bytesPerSecond: MB, by: 'operator' })
    await ask('set', { bytesPerSecond: 100 * KB })
    await sleep(EFFECT_MS)
    expect((await rate(3_000)) / (100 * KB)).toBeLessThan(1.3)
    await ask('off')
    await whole()
    expect((await stream('production')).throttle).toMatchObject({
      ...{ bytesPerSecond: null, by: null, reason: null, waitingBytes: 0 },
    })
  })

  test('pauses at once, blocks no commit, closes the dump in time, loses nothing', async () => {
    await ask('pause', { forSeconds: 3_600 })
    const longestMs = await write(3 * MB)
    expect(longestMs).toBeLessThan(2_000)
    await sleep(EFFECT_MS)
    expect(await rate(2_000)).toBe(0)
    for (const site of ['production', 'dr'] as const) {
      const { problems, state } = await pair.pair.until(site, (status) =>
        status.problems.some(({ code }) => code === 'ERR_STREAM_PAUSED'),
      )
      expect(problems.find(({ code }) => code === 'ERR_STREAM_PAUSED')?.severity).toBe('warning')
      expect(state).toBe('ok')
      const { throttle } = await stream(site)
      expect(throttle).toMatchObject({ bytesPerSecond: 0, by: 'operator' })
      expect((throttle.untilMs ?? 0) - Date.now()).toBeGreaterThan(3_400_000)
    }
    await pair.pair.until('production', ({ streams }) => streams[0]?.state === 'parked')
    const { throttle } = await stream('production')
    expect(throttle.waitingBytes).toBeGreaterThan(2.9 * MB)
    await sleep(2_000)
    expect((await stream('production')).throttle.waitingBytes).toBeGreaterThan(2.9 * MB)
    expect((await stream('dr')).throttle.waitingBytes).toBeGreaterThan(2.9 * MB)
    expect(await faults('dr')).toEqual([])
    expect(await faults('production')).toEqual([])
    const sql = await pair.sql()
    const [dumps] = await sql
      .query("SHOW PROCESSLIST WHERE Command LIKE 'Binlog Dump%'")
      .catch(async () => await sql.query('SELECT 1 FROM information_schema.processlist WHERE 0'))
    sql.destroy()
    expect(dumps).toEqual([])

    await pair.restartGateway('production')
    await pair.pair.until('production', ({ streams }) => streams[0]?.throttle.by === 'operator')
    await sleep(3_000)
    expect(await rate(1_000)).toBe(0)
    const before = await received()
    await ask('resume')
    const resumedMs = performance.now()
    await pair.pair.until('dr', ({ streams }) => (streams[0]?.bytesReceived ?? 0) > before)
    expect(performance.now() - resumedMs).toBeLessThan(10 * EFFECT_MS)
    expect(await faults('dr')).toEqual([])
    await whole()
  })

  test.runIf(isOnce)(
    'forgets what was set when its time is over, also over a restart',
    async () => {
      await ask('set', { bytesPerSecond: 10 * KB, forSeconds: 4 })
      await pair.restartGateway('production')
      const { streams } = await pair.pair.until('production', ({ streams }) => streams.length > 0)
      expect(streams[0]?.throttle.by).toBe('operator')
      await pair.pair.until('production', ({ streams }) => streams[0]?.throttle.by === null)
      await write(200 * KB)
      await whole()
    },
  )

  test('brakes while a query at the source says so', async () => {
    await editThrottle(pair.pair, {
      brake: { query: "SELECT COALESCE(IS_USED_LOCK('brake'), 0)", every: '200ms' },
    })
    await pair.restartGateway('production')
    await pair.pair.until('production', ({ streams: [one] }) => one?.throttle.by === null)
    await write(100 * KB)
    await pair.synced()
    const holder = await pair.sql()
    await holder.query("SELECT GET_LOCK('brake', 1)")
    await sleep(EFFECT_MS)
    const { throttle } = await stream('production')
    expect(throttle).toMatchObject({ bytesPerSecond: 0, by: 'brake' })
    expect(throttle.reason).toMatch(/^brake query says \d+$/)
    await write(100 * KB)
    expect(await rate(1_000)).toBe(0)
    holder.destroy()
    await pair.pair.until('production', ({ streams: [one] }) => one?.throttle.by === null)
    await whole()
  })

  test.runIf(isOnce)(
    'brakes while a URL says so; a silent one holds for so long and no longer',
    async () => {
      let status = 200
      const server = createServer((_request, response) => response.writeHead(status).end('body'))
      await listen(server, 0)
      const { port } = server.address() as AddressInfo
      const brake = { url: `http://127.0.0.1:${port}/brake?token=secret`, every: '200ms' }
      await editThrottle(pair.pair, { brake: { ...brake, timeout: '500ms', silentFor: '5s' } })
      await pair.restartGateway('production')
      await pair.pair.until('production', ({ streams: [one] }) => one?.throttle.by === null)
      status = 503
      const braked = await pair.pair.until('production', ({ streams: [one] }) => {
        return one?.throttle.by === 'brake'
      })
      const { throttle } = braked.streams[0] ?? {}
      expect(throttle?.reason).toBe(`brake http://127.0.0.1:${port}/brake says 503`)
      await write(100 * KB)
      expect(await rate(1_000)).toBe(0)
      status = 204
      await pair.pair.until('production', ({ streams: [one] }) => one?.throttle.by === null)
      await pair.synced()
      server.closeAllConnections()
      server.close()
      const silent = await pair.pair.until('production', ({ streams: [one] }) => {
        return one?.throttle.reason?.endsWith('does not answer') === true
      })
      expect(silent.problems).toContainEqual(
        expect.objectContaining({ code: 'ERR_BRAKE_SILENT', severity: 'warning' }),
      )
      await write(100 * KB)
      const free = await pair.pair.until('production', ({ streams: [one] }) => {
        return one?.throttle.by === null
      })
      expect(free.problems).toContainEqual(
        expect.objectContaining({ code: 'ERR_BRAKE_SILENT', severity: 'error' }),
      )
      await pair.synced()
      await listen(server, port)
      await pair.pair.until('production', ({ problems }) => {
        return !problems.some(({ code }) => code === 'ERR_BRAKE_SILENT')
      })
      server.closeAllConnections()
      server.close()
      await whole()
    },
  )

  test.runIf(isOnce)('keeps to a schedule that is due, and the command says so', async () => {
    const windows = [{ cron: '* * * * *', timeZone: 'Europe/Berlin', for: '2m' }]
    await editThrottle(pair.pair, {
      bytesPerSecond: '10MB',
      schedule: windows.map((window) => ({ ...window, bytesPerSecond: '50KB' })),
    })
    await pair.restartGateway('production')
    await pair.pair.until('production', ({ streams: [one] }) => one?.state === 'streaming')
    await write(MB)
    await sleep(2_000)
    expect((await rate(4_000)) / (50 * KB)).toBeLessThan(1.2)
    const { exitCode, stdout } = await pair.pair.command('production', 'throttle')
    expect(exitCode).toBe(0)
    expect(stdout).toContain('by          schedule (schedule * * * * * (Europe/Berlin)), for')
    expect(stdout).toContain('besides     9.54 MiB per second, configuration')
    const lower = await pair.pair.command(
      'production',
      'throttle',
      '20KB/s',
      '--for',
      '2h',
      '--json',
    )
    expect(JSON.parse(lower.stdout)).toMatchObject({ throttle: { bytesPerSecond: 20 * KB } })
    const peer = await pair.pair.command('dr', 'throttle', 'pause')
    expect(peer.exitCode).toBe(2)
    await editThrottle(pair.pair, {})
    await ask('off')
    await pair.restartGateway('production')
    await whole()
  })
})

async function listen(server: Server, port: number): Promise<void> {
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
}
