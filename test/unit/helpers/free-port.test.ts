import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { type AddressInfo, connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import {
  firstPassingPort,
  freePort,
  PORT_MIN,
  PORTS_MIN,
  reserve,
} from '../../helpers/free-port.ts'

async function listening(port: number): Promise<Server> {
  const server = createServer((socket) => socket.on('error', () => undefined))
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return server
}

test('ports differ, can be listened on, and are none that a connection may get', async () => {
  const ports = await Promise.all(Array.from({ length: 20 }, () => freePort()))
  expect(new Set(ports).size).toBe(20)
  for (const port of ports) {
    // Where the system hands out nearly all ports, there is none that it does not.
    expect(port).toBeLessThan(Math.max(firstPassingPort(), PORT_MIN + PORTS_MIN))
    const server = await listening(port)
    server.close()
    await once(server, 'close')
  }
})

test('a port that somebody listens on is passed over', async () => {
  const next = (await freePort()) + 1
  // By us, or by whoever was there before us.
  const server = await listening(next).catch(() => null)
  expect(await freePort()).not.toBe(next)
  server?.close()
})

/** Why it is not enough that a port is free at the moment. */
test('a port that a connection has cannot be listened on', async () => {
  const server = await listening(0)
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
  await once(client, 'connect')
  expect(client.localPort).toBeGreaterThanOrEqual(firstPassingPort())
  await expect(listening(client.localPort ?? 0)).rejects.toMatchObject({ code: 'EADDRINUSE' })
  client.destroy()
  server.close()
})

test('a port stays with its process for as long as that lives, used or not', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'lb-'))
  expect(reserve(12_345, folder)).toBe(true)
  expect(reserve(12_345, folder)).toBe(false)
  // The process of that number was another one.
  writeFileSync(join(folder, '12346'), JSON.stringify({ pid: process.pid, start: '1' }))
  expect([reserve(12_346, folder), reserve(12_346, folder)]).toEqual([false, true])
  await rm(folder, { recursive: true })
})
