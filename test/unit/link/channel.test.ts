import { describe, expect, test } from 'vitest'
import { systemClock } from '../../../src/base/clock.ts'
import { Channel } from '../../../src/link/channel.ts'
import {
  decodeFrame,
  encodeAck,
  encodeJson,
  type Frame,
  FrameType,
} from '../../../src/link/frame.ts'
import { type SocketEnd, socketPair } from '../../helpers/link/socket-pair.ts'
import { until } from '../../helpers/spool/spool-fixture.ts'

function channelOn(end: SocketEnd, onFrame: (frame: Frame) => void = () => undefined): Channel {
  return new Channel({
    socket: end.socket,
    clock: systemClock,
    pingMs: 10_000,
    onFrame,
    bytesRead: () => end.stream.bytesRead,
  })
}

function say(end: SocketEnd, ...messages: Buffer[]): void {
  for (const message of messages) end.socket.send(message, {}, () => undefined)
}

describe('a channel', () => {
  test('wakes whoever waits for room, also when another stream sent the bytes', async () => {
    const { left } = socketPair()
    const channel = channelOn(left)
    const { signal } = new AbortController()
    channel.send(Buffer.alloc(1000))
    expect(channel.unsentBytes).toBe(1000)
    await channel.unsentBelow(10, { signal })
    expect(channel.unsentBytes).toBe(0)
    const stop = new AbortController()
    channel.send(Buffer.alloc(1000))
    const waiting = channel.unsentBelow(10, { signal: stop.signal })
    stop.abort(new Error('over'))
    await expect(waiting).rejects.toThrow('over')
  })

  test('gives up everything behind a frame that failed, in the same chunk too', async () => {
    const { left, right } = socketPair()
    const seen: number[] = []
    const channel = channelOn(left, (frame) => {
      seen.push(frame.stream)
      if (frame.stream === 2) throw new Error('no')
    })
    say(right, encodeAck(1, 0), encodeAck(2, 0), encodeAck(3, 0))
    await expect(channel.run(new AbortController().signal)).rejects.toThrow('no')
    expect(seen).toEqual([1, 2])
  })

  test('carries a body that no frame could', async () => {
    const { left, right } = socketPair()
    const seen: Frame[] = []
    const [one, other] = [channelOn(left), channelOn(right, (frame) => seen.push(frame))]
    const stop = new AbortController()
    const running = [one.run(stop.signal), other.run(stop.signal)]
    const body = { files: Array.from({ length: 60_000 }, (_, n) => ({ name: `binlog.${n}` })) }
    one.sendJson(FrameType.Sample, 1, body)
    await until(() => seen.length > 0)
    expect(seen).toEqual([{ type: FrameType.Sample, stream: 1, body }])
    stop.abort(new Error('over'))
    await Promise.allSettled(running)
  })

  test('gives up a peer that asks and never takes the answers', async () => {
    const { left } = socketPair()
    left.socket.send = () => undefined
    const channel = channelOn(left)
    const running = channel.run(new AbortController().signal)
    const ack = Buffer.alloc(1024 * 1024)
    for (let count = 0; count < 64; count += 1) channel.say(ack)
    expect(channel.unsentBytes).toBeLessThan(40 * 1024 * 1024)
    await expect(running).rejects.toMatchObject({ code: 'ERR_LINK_DEAF', retryable: true })
  })

  test('gets what came before anybody listened', async () => {
    const { left, right } = socketPair()
    const seen: number[] = []
    const channel = channelOn(left, (frame) => {
      seen.push(frame.stream)
      channel.fail(new Error('enough'))
    })
    say(right, encodeAck(7, 0))
    await new Promise((resolve) => setTimeout(resolve, 20))
    await expect(channel.run(new AbortController().signal)).rejects.toThrow('enough')
    expect(seen).toEqual([7])
  })

  test('answers pings and tells its reason when it ends', async () => {
    const { left, right } = socketPair()
    const heard: Frame[] = []
    right.socket.on('message', (data: Buffer) => heard.push(decodeFrame(data)))
    right.socket.resume()
    const stop = new AbortController()
    const channel = channelOn(left)
    const running = channel.run(stop.signal)
    say(right, Buffer.from('07000000' + '1100000000000000', 'hex'))
    await until(() => heard.length >= 2)
    stop.abort()
    await expect(running).rejects.toMatchObject({ name: 'AbortError' })
    await until(() => heard.length >= 3)
    expect(heard.map(({ type }) => type)).toEqual([FrameType.Ping, FrameType.Pong, FrameType.Close])
    expect(heard[1]).toMatchObject({ sentUs: 17 })
    expect(heard[2]).toMatchObject({ body: { code: 'ERR_STOPPED' } })
  })

  test('ends with the peer’s farewell, or its absence', async () => {
    const one = socketPair()
    say(one.right, encodeJson(FrameType.Close, 0, { code: 'ERR_X', message: 'why' }))
    const { signal } = new AbortController()
    await expect(channelOn(one.left).run(signal)).rejects.toMatchObject({
      code: 'ERR_LINK_CLOSED',
      details: { peerCode: 'ERR_X' },
    })
    const other = socketPair()
    const running = channelOn(other.left).run(signal)
    other.right.cut()
    await expect(running).rejects.toMatchObject({ code: 'ERR_LINK_LOST' })
    await expect(channelOn(other.left).run(signal)).rejects.toMatchObject({ code: 'ERR_LINK_LOST' })
  })

  test('does not end the process when it fails before it runs', async () => {
    const { left } = socketPair()
    const channel = channelOn(left)
    channel.fail(new Error('early'))
    await new Promise((resolve) => setTimeout(resolve, 5))
    await expect(channel.run(new AbortController().signal)).rejects.toThrow('early')
  })
})
