import { expect, test } from 'vitest'
import { ConnectAttempts } from '../../../src/mysql/connect-attempts.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'

const never = new AbortController().signal

function driverError(fields: { readonly code: string; readonly errno?: number }): Error {
  return Object.assign(new Error(fields.code), fields)
}
const WRONG_CA = driverError({ code: 'HANDSHAKE_SSL_ERROR' })
const DENIED = driverError({ code: 'ER_ACCESS_DENIED_ERROR', errno: 1045 })
const NO_HOST = driverError({ code: 'ENOTFOUND', errno: -3008 })
const CROWDED = driverError({ code: 'ER_USER_LIMIT_REACHED', errno: 1226 })
const REFUSED = driverError({ code: 'ECONNREFUSED', errno: -111 })
const TIMEOUT = driverError({ code: 'ETIMEDOUT' })
const HOUR_MS = 3_600_000

/** A server, and parts of a gateway that try to log in for ever, each a moment after it failed. */
class Server {
  readonly clock = new FakeClock()
  readonly attempts = new ConnectAttempts({ clock: this.clock })
  readonly triedMs: number[] = []
  readonly #stop = new AbortController()
  failure: Error | null
  isReached = true
  /** How many attempts are made at this moment, and were at most. */
  open = 0
  openMax = 0

  constructor(failure: Error | null) {
    this.failure = failure
  }

  part(retryMs: number, budget = this.attempts): void {
    void (async () => {
      while (!this.#stop.signal.aborted) {
        await this.connect(budget).catch(() => undefined)
        await this.clock.sleep(retryMs)
      }
    })()
  }

  async connect(budget = this.attempts, signal = never): Promise<string> {
    return await budget.run(async (reached) => {
      this.triedMs.push(this.clock.monotonicMs())
      this.open += 1
      this.openMax = Math.max(this.openMax, this.open)
      if (this.isReached) reached()
      await this.clock.sleep(10)
      this.open -= 1
      if (this.failure !== null) throw this.failure
      return 'in'
    }, signal)
  }

  [Symbol.dispose](): void {
    this.#stop.abort()
  }
}

test.each([
  ['a certificate that is not trusted', WRONG_CA],
  ['a login that is denied', DENIED],
  ['a host name that nobody knows', NO_HOST],
])('%s is tried once a minute, by all parts together', async (_what, failure) => {
  using server = new Server(failure)
  for (const retryMs of [200, 1_000, 5_000]) server.part(retryMs)
  await server.clock.advance(60_000)
  expect(server.triedMs.length).toBeLessThanOrEqual(10)
  await server.clock.advance(9 * 60_000)
  expect(server.triedMs.length).toBeLessThanOrEqual(20)
  expect(server.triedMs.length).toBeGreaterThan(12)
})

test('a handshake that breaks off counts at the server, and is tried more rarely', async () => {
  using server = new Server(WRONG_CA)
  server.part(200)
  // The server refuses the whole host at the hundredth.
  await server.clock.advance(48 * HOUR_MS)
  expect(server.triedMs.length).toBeLessThan(100)
  const before = server.triedMs.length
  server.failure = null
  await server.clock.advance(HOUR_MS)
  expect(server.triedMs.length).toBeGreaterThan(before)
})

test('a login that is mended after days is in within a minute, and lets all in', async () => {
  using server = new Server(DENIED)
  for (const retryMs of [200, 1_000]) server.part(retryMs)
  await server.clock.advance(72 * HOUR_MS)
  server.failure = null
  const before = server.triedMs.length
  await server.clock.advance(62_000)
  expect(server.triedMs.length).toBeGreaterThan(before)
  server.failure = DENIED
  const mendedMs = server.clock.monotonicMs()
  await server.clock.advance(4_000)
  // It begins anew: seconds, not minutes.
  expect(server.triedMs.filter((ms) => ms >= mendedMs).length).toBeGreaterThan(1)
})

test('one part at a time asks whether it is mended', async () => {
  using server = new Server(DENIED)
  for (let n = 0; n < 5; n += 1) server.part(100)
  await server.clock.advance(1_000)
  server.openMax = 0
  await server.clock.advance(120_000)
  expect(server.openMax).toBe(1)
})

test('a server that is down, or comes up, is tried as before', async () => {
  using server = new Server(REFUSED)
  server.isReached = false
  server.part(1_000)
  await server.clock.advance(10 * 60_000)
  expect(server.triedMs.length).toBeGreaterThan(500)
  server.isReached = true
  server.failure = TIMEOUT
  const before = server.triedMs.length
  await server.clock.advance(15_000)
  expect(server.triedMs.length - before).toBeGreaterThan(10)
  // What breaks off again and again may count at the server as well.
  await server.clock.advance(2 * HOUR_MS)
  expect(server.triedMs.length - before).toBeLessThan(90)
  // Nobody mends a server that was frozen: it is found when it is back.
  server.failure = null
  const back = server.triedMs.length
  await server.clock.advance(5 * 60_000)
  expect(server.triedMs.length).toBeGreaterThan(back)
})

test('a part that gives way holds nobody up when the login has all its connections', async () => {
  using server = new Server(CROWDED)
  const { givingWay } = server.attempts
  const outcome = server.connect(givingWay as ConnectAttempts).catch(() => 'refused')
  await server.clock.advance(20)
  expect(await outcome).toBe('refused')
  server.failure = null
  const startMs = server.clock.monotonicMs()
  const joined = server.connect()
  await server.clock.advance(20)
  expect(await joined).toBe('in')
  expect(server.triedMs.at(-1)).toBe(startMs)
  // The dump itself is tried again soon, for a closed connection counts a moment longer.
  server.failure = CROWDED
  server.part(0)
  await server.clock.advance(1_000)
  expect(server.triedMs.length).toBeGreaterThan(4)
  await server.clock.advance(60_000)
  expect(server.triedMs.length).toBeLessThan(25)
})

test('a login that is given up counts at the server, and here', async () => {
  using server = new Server(null)
  const giveUp = async (): Promise<void> => {
    const stop = new AbortController()
    const connecting = server.attempts.run(async (reached) => {
      server.triedMs.push(server.clock.monotonicMs())
      if (server.isReached) reached()
      stop.abort()
      stop.signal.throwIfAborted()
    }, stop.signal)
    await connecting.catch(() => undefined)
  }
  // Nobody has heard of these.
  server.isReached = false
  for (let n = 0; n < 30; n += 1) await giveUp()
  server.isReached = true
  for (let n = 0; n < 21; n += 1) await giveUp()
  const before = server.triedMs.length
  const next = server.connect()
  await server.clock.advance(900)
  expect(server.triedMs).toHaveLength(before)
  await server.clock.advance(200)
  expect(await next).toBe('in')
})

test('waiting ends with the signal', async () => {
  using server = new Server(DENIED)
  const first = server.connect().catch(() => 'denied')
  await server.clock.advance(20)
  expect(await first).toBe('denied')
  const stop = new AbortController()
  const waiting = server.connect(server.attempts, stop.signal)
  stop.abort()
  await expect(waiting).rejects.toMatchObject({ name: 'AbortError' })
  expect(server.triedMs).toHaveLength(1)
})
