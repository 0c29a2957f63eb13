import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { SourceSocket } from '../../../src/source/source-socket.ts'

let server: Server
let socket: Socket
let source: SourceSocket
let peer: Socket

beforeEach(async () => {
  server = createServer({ noDelay: true }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  source = new SourceSocket('127.0.0.1', (server.address() as AddressInfo).port)
  socket = source.socket
  ;[peer] = (await once(server, 'connection')) as [Socket]
})

afterEach(async () => {
  socket.destroy()
  peer.destroy()
  server.close()
  await once(server, 'close')
})

async function next(text: string): Promise<Buffer> {
  const read = once(socket, 'data')
  peer.write(text)
  const [chunk] = (await read) as [Buffer]
  return chunk
}

test('gives chunks that last, until it is told that none must', async () => {
  const first = await next('first')
  const second = await next('other')
  expect([first.toString(), second.toString()]).toEqual(['first', 'other'])
  source.shareBuffer()
  const third = await next('third')
  expect(third.toString()).toBe('third')
  await next('again')
  expect(third.toString()).toBe('again')
})

test('reads nothing while it is paused', async () => {
  await next('before')
  socket.pause()
  const seen: string[] = []
  socket.on('data', (chunk: Buffer) => seen.push(chunk.toString()))
  peer.write('meanwhile')
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect(seen).toEqual([])
  const read = once(socket, 'data')
  socket.resume()
  await read
  expect(seen).toEqual(['meanwhile'])
})

test('closes when the source does', async () => {
  await next('last words')
  const closed = once(socket, 'close')
  peer.end()
  await closed
})
