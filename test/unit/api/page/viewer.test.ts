import { EventEmitter } from 'node:events'
import { describe, expect, test } from 'vitest'
import type { WebSocket } from 'ws'
import { Viewer } from '../../../../src/api/page/viewer.ts'
import { FakeClock } from '../../../helpers/fake-clock.ts'

/** A page whose connection takes as much as the test says. */
class PlayedSocket extends EventEmitter {
  bufferedAmount = 0
  readonly sent: string[] = []
  isTerminated = false

  send(text: string): void {
    this.sent.push(text)
  }

  terminate(): void {
    this.isTerminated = true
    this.emit('close')
  }
}

function play(): { socket: PlayedSocket; viewer: Viewer; clock: FakeClock } {
  const [socket, clock] = [new PlayedSocket(), new FakeClock()]
  const ask = () => Promise.resolve(null)
  return {
    socket,
    clock,
    viewer: new Viewer({ socket: socket as unknown as WebSocket, ask, clock }),
  }
}

describe('a page that is slow', () => {
  test('gets the newest view when it can take one, and none of those in between', async () => {
    const { socket, viewer, clock } = play()
    viewer.show('1')
    socket.bufferedAmount = 100
    for (const view of ['2', '3', '4']) {
      await clock.advance(1_000)
      viewer.show(view)
    }
    socket.bufferedAmount = 0
    viewer.show('5')
    expect(socket.sent).toEqual(['1', '5'])
    expect(socket.isTerminated).toBe(false)
  })

  test('is closed when it takes nothing for 15 s', async () => {
    const { socket, viewer, clock } = play()
    socket.bufferedAmount = 100
    viewer.show('1')
    await clock.advance(14_000)
    viewer.show('2')
    expect(socket.isTerminated).toBe(false)
    await clock.advance(2_000)
    viewer.show('3')
    expect(socket.isTerminated).toBe(true)
  })

  test('is closed when answers pile up', () => {
    const { socket, viewer } = play()
    socket.bufferedAmount = 3 * 1024 * 1024
    viewer.send({ type: 'progress', id: 1, step: 'x' })
    expect([socket.sent.length, socket.isTerminated]).toEqual([0, true])
  })
})
