import { execFile } from 'node:child_process'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type WebSocket, WebSocketServer } from 'ws'
import { systemClock } from '../../../src/base/clock.ts'
import { Channel } from '../../../src/link/channel.ts'
import { FrameType } from '../../../src/link/frame.ts'
import { FrameTarget } from '../../../src/link/frame-target.ts'
import { Throttle } from '../../../src/progress/throttle.ts'
import { percentile } from './percentile.ts'

const run = promisify(execFile)
const KB = 1_000
const MB = 1_000 * KB
export const RATES = [10 * KB, 100 * KB, MB, 20 * MB, 200 * MB] as const

const SLOTS_PER_WINDOW = 100
const SLOTS_PER_SECOND = 10
const CHUNK = Buffer.alloc(64 * 1024, 'x')
const PING_MS = 50

export interface Accuracy {
  readonly bytesPerSecond: number
  /** Of any ten seconds, the smallest and the largest, against the limit. */
  readonly least: number
  readonly most: number
  /** What a ping takes meanwhile on the same connection. */
  readonly pingP99Ms: number
}

/**
 * The sending end of a stream with more than it may send, through a real connection to another
 * process, which counts what arrives.
 */
export async function accuracyOf(bytesPerSecond: number, seconds: number): Promise<Accuracy> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 })
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const script = fileURLToPath(new URL('./accuracy-child.ts', import.meta.url))
  const counting = run(process.execPath, [script, String(port)])
  const [socket] = (await once(server, 'connection')) as [WebSocket]
  const pings = await send(socket, bytesPerSecond, seconds)
  server.close()
  const slots = JSON.parse((await counting).stdout) as number[]
  return {
    bytesPerSecond,
    ...extremes(slots.slice(0, seconds * SLOTS_PER_SECOND), bytesPerSecond),
    pingP99Ms: percentile(pings, 99),
  }
}

/** Returns what the pings took. */
async function send(
  socket: WebSocket,
  bytesPerSecond: number,
  seconds: number,
): Promise<readonly number[]> {
  const clock = systemClock
  const stopping = new AbortController()
  const { signal } = stopping
  const channel = new Channel({
    ...{ socket, clock, pingMs: PING_MS, bytesRead: () => performance.now() },
    onFrame: (frame) => {
      if (frame.type === FrameType.Ack) target.acked(frame.syncedBytes)
    },
  })
  const target = new FrameTarget({
    ...{ channel, stream: 0, windowBytes: 16 * 1024 * 1024, compression: 'none', clock },
    throttle: new Throttle({ bytesPerSecond, clock }),
    parkAfterMs: 30_000,
    onAccepted: () => undefined,
    onStart: () => undefined,
  })
  const feeding = async (): Promise<void> => {
    target.file('binlog.000001', 0)
    while (!signal.aborted) {
      target.bytes(CHUNK, 0, CHUNK.length)
      target.chunkEnd()
      await target.room(signal)
      // As a socket's chunks come: not all of them at once.
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  const pings: number[] = []
  const watching = setInterval(() => {
    const { roundTripMs } = channel.clockOffset
    if (roundTripMs !== null) pings.push(roundTripMs)
  }, PING_MS)
  const all = [channel.run(signal), target.run(signal), feeding()]
  const ended = Promise.allSettled(all)
  await Promise.race([clock.sleep(seconds * 1000 + 500), ...all])
  stopping.abort()
  await ended
  clearInterval(watching)
  return pings
}

function extremes(
  slots: readonly number[],
  bytesPerSecond: number,
): Pick<Accuracy, 'least' | 'most'> {
  const whole = bytesPerSecond * (SLOTS_PER_WINDOW / SLOTS_PER_SECOND)
  const shares: number[] = []
  for (let at = 0; at + SLOTS_PER_WINDOW <= slots.length; at += 1) {
    const window = slots.slice(at, at + SLOTS_PER_WINDOW)
    shares.push(window.reduce((sum, bytes) => sum + (bytes ?? 0), 0) / whole)
  }
  return { least: Math.min(...shares), most: Math.max(...shares) }
}
