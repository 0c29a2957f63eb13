import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { percentile } from './percentile.ts'

export interface Latency {
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
  readonly sent: number
  readonly lost: number
}

const EVERY_MS = 20
const ECHO_PORT = 9999

/** What a datagram every 20 ms takes, there and back, to an UdpEcho. */
export async function secondFlow(
  namespace: string,
  address: string,
  seconds: number,
): Promise<Latency> {
  const script = `const socket = require('node:dgram').createSocket('udp4')
    const took = []
    const sentMs = []
    socket.on('message', (message) => {
      took.push(performance.now() - sentMs[Number(message.toString())])
    })
    const beat = () => {
      sentMs.push(performance.now())
      socket.send(String(sentMs.length - 1), ${ECHO_PORT}, '${address}')
    }
    const beating = setInterval(beat, ${EVERY_MS})
    setTimeout(() => clearInterval(beating), ${seconds * 1000})
    setTimeout(() => {
      console.log(JSON.stringify({ sent: sentMs.length, took }))
      socket.close()
    }, ${seconds * 1000 + 2_000})`
  const argv = ['netns', 'exec', namespace, process.execPath, '-e', script]
  const child: ChildProcess = spawn('ip', argv, { stdio: ['ignore', 'pipe', 'inherit'] })
  if (child.stdout === null) throw new Error('its output is not read')
  const [printed] = await Promise.all([text(child.stdout), once(child, 'exit')])
  const { sent, took } = JSON.parse(printed) as { sent: number; took: number[] }
  return {
    p50Ms: percentile(took, 50),
    p99Ms: percentile(took, 99),
    maxMs: Math.max(...took),
    sent,
    lost: sent - took.length,
  }
}
