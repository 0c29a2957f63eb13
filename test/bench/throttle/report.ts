import type { Flavor } from '../../../src/base/flavor.ts'
import { type Accuracy, accuracyOf, RATES } from './accuracy.ts'
import type { Latency } from './second-flow.ts'
import { measureYielding, type YieldingReport } from './yielding.ts'

export interface ThrottleReport {
  readonly accuracy: readonly Accuracy[]
  readonly yielding: YieldingReport
}

export interface ThrottleBenchOptions {
  readonly flavor: Flavor
  readonly seconds: number
  readonly say: (text: string) => void
  readonly signal: AbortSignal
}

export const PATH = { roundTripMs: 40, megabitsPerSecond: 20, queueMs: 20 } as const

export async function measureThrottle(options: ThrottleBenchOptions): Promise<ThrottleReport> {
  const { seconds, say, signal } = options
  const accuracy: Accuracy[] = []
  for (const rate of RATES) {
    signal.throwIfAborted()
    say(`limit ${rateText(rate)}`)
    accuracy.push(await accuracyOf(rate, seconds))
  }
  return { accuracy, yielding: await measureYielding({ ...options, ...PATH }) }
}

export function throttleText({ accuracy, yielding }: ThrottleReport): string {
  const exact = accuracy.map(({ bytesPerSecond, least, most, pingP99Ms }) => {
    const range = `${share(least)} to ${share(most)} in any 10 s`
    const ping = `ping p99 ${pingP99Ms.toFixed(1)} ms`
    return `  ${rateText(bytesPerSecond).padEnd(10)} ${range}, ${ping}\n`
  })
  const { idle, beside, besideBytesPerSecond, yielding: yields, yieldingBytesPerSecond } = yielding
  const { roundTripMs, megabitsPerSecond, queueMs } = PATH
  const rows: readonly (readonly [string, Latency, number])[] = [
    ['alone', idle, 0],
    ['beside a stream', beside, besideBytesPerSecond],
    ['beside one that yields', yields, yieldingBytesPerSecond],
  ]
  const lines = rows.map(([name, { p50Ms, p99Ms, maxMs, sent, lost }, stream]) => {
    const times = [p50Ms, p99Ms, maxMs].map((ms) => ms.toFixed(1)).join(' / ')
    const factor = `${(p99Ms / idle.p99Ms).toFixed(2)} x`
    return (
      `  ${name.padEnd(24)} p50/p99/max ${times} ms, p99 ${factor}, ${lost} of ${sent} lost;` +
      ` stream ${rateText(Math.round(stream))}\n`
    )
  })
  return (
    `\nlimits kept\n${exact.join('')}\na second flow through the tunnel: round trip` +
    ` ${roundTripMs} ms, ${megabitsPerSecond} Mbit/s, wanted queue ${queueMs} ms\n${lines.join('')}`
  )
}

function share(value: number): string {
  return `${(value * 100).toFixed(1)} %`
}

function rateText(bytesPerSecond: number): string {
  if (bytesPerSecond < 1e6) return `${(bytesPerSecond / 1e3).toFixed(0)} KB/s`
  return `${(bytesPerSecond / 1e6).toFixed(1)} MB/s`
}
