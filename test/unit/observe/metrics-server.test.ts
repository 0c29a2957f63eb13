import { expect, test } from 'vitest'
import { MetricsServer } from '../../../src/observe/metrics-server.ts'
import { Stranger } from '../../helpers/link/stranger.ts'

test('metrics are served on a loopback port only, until stopped', async () => {
  const stopping = new AbortController()
  const metrics = async (): Promise<string> => 'a 1\n'
  const server = new MetricsServer({ listen: { host: '127.0.0.1', port: 0 }, metrics })
  const running = server.run(stopping.signal)
  await expect.poll(() => server.status().port).not.toBeNull()
  const { port } = server.status()
  const response = await fetch(`http://127.0.0.1:${port}/metrics`)
  expect(await response.text()).toBe('a 1\n')
  const code = 'ERR_METRICS_LISTEN'
  const taken = new MetricsServer({ listen: { host: '127.0.0.1', port: port ?? 0 }, metrics })
  await expect(taken.run(stopping.signal)).rejects.toMatchObject({ code })
  const open = new MetricsServer({ listen: { host: '0.0.0.0', port: 0 }, metrics })
  await expect(open.run(stopping.signal)).rejects.toMatchObject({ code })
  stopping.abort()
  await running
  expect(server.status().port).toBeNull()
})

test('metrics are made once for a client that asks 500 times in one piece', async () => {
  const stopping = new AbortController()
  let count = 0
  const metrics = async (): Promise<string> => {
    count += 1
    return 'a 1\n'
  }
  const server = new MetricsServer({ listen: { host: '127.0.0.1', port: 0 }, metrics })
  const running = server.run(stopping.signal)
  await expect.poll(() => server.status().port).not.toBeNull()
  const client = Stranger.at(server.status().port ?? 0)
  client.send('GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(500))
  await expect.poll(() => client.answer).toContain('200 OK')
  expect(count).toBe(1)
  client.destroy()
  stopping.abort()
  await running
})
