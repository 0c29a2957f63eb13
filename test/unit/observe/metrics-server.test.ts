import { expect, test } from 'vitest'
import { MetricsServer } from '../../../src/observe/metrics-server.ts'

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
