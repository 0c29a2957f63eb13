import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { expect, test } from 'vitest'
import type { TwinReader } from '../../../../src/lab/chaos/twin-client.ts'
import { runTwin } from '../../../../src/lab/chaos/twin-replica.ts'

test('a twin reads on from a set of GTIDs that no command line would hold', async () => {
  const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const stopping = new AbortController()
  const reader: TwinReader = {
    ...{ flavor: 'mariadb', serverId: 7, serverUuid: '', user: 'r', password: 'p' },
    ...{ host: '127.0.0.1', port: (server.address() as AddressInfo).port },
    gtids: Array.from({ length: 20_000 }, (_, domain) => `${domain}-1-1`).join(),
  }
  const connected = once(server, 'connection')
  const twin = runTwin([], reader, stopping.signal)
  await Promise.race([connected, twin])
  stopping.abort()
  await expect(twin).resolves.toBeUndefined()
  await expect(connected).resolves.toHaveLength(1)
  server.close()
})
