import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { PingTimes } from '../../../../src/base/clock-offset.ts'
import { silentLog } from '../../../../src/base/log.ts'
import { Secret } from '../../../../src/base/secret.ts'
import { StreamThrottle } from '../../../../src/gateway/throttle/stream-throttle.ts'
import type { PathProbe } from '../../../../src/gateway/throttle/yield-watch.ts'
import { NO_THROTTLE, type ThrottleConfig } from '../../../../src/progress/throttle-section.ts'
import { FakeClock } from '../../../helpers/fake-clock.ts'

let dataDir: string
let clock: FakeClock
let stopping: AbortController
const running: Promise<void>[] = []

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'lb-throttle-'))
  // A Friday, 07:00 in Berlin.
  clock = new FakeClock(Date.parse('2026-11-27T06:00:00Z'))
  stopping = new AbortController()
})

afterEach(async () => {
  stopping.abort()
  await Promise.all(running.splice(0))
  await rm(dataDir, { recursive: true })
})

async function start(
  config: Partial<ThrottleConfig> = {},
  { term = 1, probe = null }: { term?: number; probe?: PathProbe | null } = {},
): Promise<StreamThrottle> {
  const nobody = { host: '127.0.0.1', port: 1, user: 'u', password: new Secret('p') }
  const throttle = new StreamThrottle({
    ...{ dataDir, term, clock, stream: 'main', log: silentLog },
    config: { ...NO_THROTTLE, ...config },
    address: { ...nobody, tls: { mode: 'off' } } as never,
    peers: () => ['azure'],
    probe: () => probe,
    waitingBytes: () => 7,
  })
  expect(throttle.bucket.bytesPerSecond).toBe(0)
  const { sleeping } = clock
  running.push(throttle.run(stopping.signal))
  // A real file is read: the fake clock does not wait for that.
  await expect.poll(() => clock.sleeping).toBeGreaterThan(sleeping)
  return throttle
}

const setTo = (bytesPerSecond: number, untilMs: number | null) => {
  return { rate: { by: 'socket', atMs: clock.wallMs(), untilMs, bytesPerSecond } }
}
const paused = () => ({ pause: { by: 'socket', atMs: clock.wallMs(), untilMs: null } })

test('without a limit everything passes', async () => {
  const throttle = await start()
  expect(throttle.bucket.bytesPerSecond).toBeNull()
  expect(throttle.status()).toEqual({
    ...{ bytesPerSecond: null, by: null, reason: null, sinceMs: null, untilMs: null },
    ...{ measuredBytesPerSecond: 0, waitingBytes: 7 },
  })
})

test('the lowest holds: schedule, configuration and an operator', async () => {
  const window = { cron: '0 8 * * 1-5', timeZone: 'Europe/Berlin', forMs: 3_600_000 }
  const schedule = [{ ...window, bytesPerSecond: 2_000 }]
  const throttle = await start({ bytesPerSecond: 5_000, schedule })
  expect(throttle.status()).toMatchObject({ bytesPerSecond: 5_000, by: 'configuration' })
  await clock.advance(3_600_000)
  expect(throttle.bucket.bytesPerSecond).toBe(2_000)
  expect(throttle.status()).toMatchObject({ by: 'schedule', untilMs: clock.wallMs() + 3_600_000 })
  await throttle.order((orders) => ({ ...orders, ...setTo(1_500, clock.wallMs() + 1_000) }))
  expect(throttle.bucket.bytesPerSecond).toBe(1_500)
  await throttle.order((orders) => ({ ...orders, ...paused() }))
  expect(throttle.bucket.bytesPerSecond).toBe(0)
  expect(throttle.limits().map(({ by }) => by)).toEqual([
    ...['operator', 'operator', 'schedule', 'configuration'],
  ])
  await throttle.order((orders) => ({ ...orders, pause: null }))
  expect(throttle.bucket.bytesPerSecond).toBe(1_500)
  await clock.advance(1_000)
  expect(throttle.bucket.bytesPerSecond).toBe(2_000)
  await clock.advance(3_600_000)
  expect(throttle.bucket.bytesPerSecond).toBe(5_000)
})

test('what was set survives a restart in its term, and not in another', async () => {
  const first = await start()
  expect(await first.order((orders) => ({ ...orders, ...setTo(3_000, null) }))).toEqual({
    notStored: null,
  })
  expect((await start()).bucket.bytesPerSecond).toBe(3_000)
  expect((await start({}, { term: 2 })).bucket.bytesPerSecond).toBeNull()
})

test('what cannot be stored holds all the same, and is told', async () => {
  const throttle = await start()
  await rm(dataDir, { recursive: true })
  await writeFile(dataDir, 'no folder')
  const { notStored } = await throttle.order((orders) => ({ ...orders, ...paused() }))
  expect(notStored).toMatch(/EEXIST|ENOTDIR/)
  expect(throttle.bucket.bytesPerSecond).toBe(0)
  expect(throttle.problems()).toHaveLength(1)
})

test('a damaged file is told, the stream goes on, and the next order replaces it', async () => {
  const path = join(dataDir, 'throttle-main.json')
  await writeFile(path, '{"format": 1, "orders"')
  const throttle = await start({ bytesPerSecond: 5_000 })
  expect(throttle.bucket.bytesPerSecond).toBe(5_000)
  expect(throttle.problems()).toMatchObject([{ code: 'ERR_THROTTLE_FILE', severity: 'warning' }])
  await throttle.order((orders) => ({ ...orders, ...setTo(2_000, null) }))
  expect(throttle.problems()).toEqual([])
  expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject({ term: 1, stream: 'main' })
})

test('yields to a queue that the other session sees, and says when it sees nothing', async () => {
  const config = { yield: { targetMs: 10, leastBytesPerSecond: 100_000 } }
  let queueMs = 0
  let lastTimes: PingTimes | null = null
  const probe: PathProbe = {
    clockOffset: {
      get lastTimes() {
        return lastTimes
      },
    },
    ping: () => {
      const sentMs = clock.wallMs()
      const answeredMs = sentMs + 20 + queueMs
      lastTimes = { sentMs, answeredMs, receivedMs: answeredMs + 20 }
      return sentMs
    },
  }
  const throttle = await start(config, { probe })
  const before = throttle.bucket.bytesPerSecond ?? 0
  await clock.advance(2_000)
  expect(throttle.bucket.bytesPerSecond).toBeGreaterThan(before)
  expect(throttle.status().by).toBe('yielding')
  queueMs = 200
  await clock.advance(2_000)
  expect(throttle.bucket.bytesPerSecond).toBe(100_000)
  expect(throttle.status().reason).toContain('queue 200.0 ms, wanted 10 ms')
  expect(throttle.problems()).toEqual([])

  const blind = await start(config)
  await clock.advance(10_000)
  expect(blind.bucket.bytesPerSecond).toBe(100_000)
  expect(blind.problems()).toMatchObject([{ code: 'ERR_YIELD_BLIND', severity: 'warning' }])
})
