import { once } from 'node:events'
import { createServer } from 'node:net'
import { expect, test } from 'vitest'
import { addressTowards } from '../../../src/gateway/relay-login.ts'

const { signal } = new AbortController()

test('the address towards the replica is the one that it can answer to', async () => {
  const server = createServer((socket) => socket.resume().on('error', () => undefined))
  server.listen(0, '127.0.0.2')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  expect(await addressTowards({ host: '127.0.0.2', port }, signal)).toMatch(/^127\.0\.0\.\d$/)
  server.close()
  await once(server, 'close')
  await expect(addressTowards({ host: '127.0.0.2', port }, signal)).rejects.toMatchObject({
    code: 'ERR_SQL_LOGIN',
    remedy: expect.stringContaining('`database` section'),
  })
})
