import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { systemClock } from '../../../../src/base/clock.ts'
import { askUrl, urlName } from '../../../../src/gateway/throttle/brake-url.ts'
import { BrakeWatch } from '../../../../src/gateway/throttle/brake-watch.ts'

const servers: Server[] = []

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  servers.push(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/brake`
}

const { signal } = new AbortController()

test.each([
  [200, false],
  [204, false],
  [301, true],
  [404, true],
  [503, true],
])('status %d brakes: %s', async (status, brakes) => {
  const url = await serve((_request, response) => {
    response.writeHead(status, { location: 'http://127.0.0.1:1/' }).end()
  })
  expect(await askUrl(url, signal)).toEqual({ brakes, text: String(status) })
})

test('a body without end is not read, and headers have a limit', async () => {
  let isGone = false
  const endless = await serve((request, response) => {
    request.socket.on('close', () => {
      isGone = true
    })
    response.writeHead(200)
    const flow = setInterval(() => response.write('x'.repeat(65_536)), 1)
    response.on('close', () => clearInterval(flow))
  })
  expect(await askUrl(endless, signal)).toEqual({ brakes: false, text: '200' })
  await expect.poll(() => isGone).toBe(true)
  const large = await serve((_request, response) => {
    response.writeHead(200, { 'x-large': 'x'.repeat(100_000) }).end()
  })
  await expect(askUrl(large, signal)).rejects.toThrow(/overflow/i)
})

test('what may be secret in an address is not shown', () => {
  expect(urlName('https://brake.example:8443/a/b?token=s3cret#x')).toBe(
    'brake https://brake.example:8443/a/b',
  )
})

test('one look at a time, each with a timeout; one without an answer is told', async () => {
  let [asked, open, most] = [0, 0, 0]
  const url = await serve((request) => {
    asked += 1
    open += 1
    most = Math.max(most, open)
    request.socket.on('close', () => (open -= 1))
  })
  const stopping = new AbortController()
  const watch = new BrakeWatch({
    config: { ask: { url }, everyMs: 20, timeoutMs: 50, silentMs: 60_000 },
    address: {} as never,
    onChange: () => undefined,
    clock: systemClock,
  })
  const running = watch.run(stopping.signal)
  await expect.poll(() => asked).toBeGreaterThan(3)
  expect(most).toBeLessThanOrEqual(2)
  expect(watch.limit()).toMatchObject({ bytesPerSecond: 0, by: 'brake' })
  expect(watch.problems('stream:main')).toMatchObject([
    { code: 'ERR_BRAKE_SILENT', severity: 'warning', where: 'stream:main' },
  ])
  expect(watch.problems('stream:main')[0]?.message).toContain('no answer within 50 ms')
  stopping.abort()
  await running
})
