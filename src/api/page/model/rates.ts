import type { ViewMessage } from '../protocol.ts'
import { isOld, streamsOf } from './streams.ts'

/** So far back, so that one late view does not look like a pause. */
const WINDOW_MS = 5_000

interface Sample {
  readonly atMs: number
  readonly bytes: number
  readonly transactions: number
}

/** What passes in a second, from the counters of the copies in one view and the next. */
export class Rates {
  readonly #samples = new Map<string, Sample[]>()

  add(view: ViewMessage): void {
    for (const { name, copies } of streamsOf(view)) {
      for (const { gateway, at } of copies) {
        const key = `${name} ${gateway}`
        if (at === null || isOld(at.side)) {
          this.#samples.delete(key)
          continue
        }
        const { bytesReceived: bytes, transactionsReceived: transactions } = at.stream
        const sample = { atMs: at.side.status?.nowMs ?? view.atMs, bytes, transactions }
        this.#samples.set(key, kept(this.#samples.get(key) ?? [], sample))
      }
    }
  }

  bytesPerSecond(stream: string, gateway: string): number | null {
    return this.#rate(`${stream} ${gateway}`, ({ bytes }) => bytes)
  }

  transactionsPerSecond(stream: string, gateway: string): number | null {
    return this.#rate(`${stream} ${gateway}`, ({ transactions }) => transactions)
  }

  #rate(key: string, of: (sample: Sample) => number): number | null {
    const samples = this.#samples.get(key) ?? []
    const [first, last] = [samples[0], samples.at(-1)]
    if (first === undefined || last === undefined || last.atMs - first.atMs < 500) return null
    return ((of(last) - of(first)) / (last.atMs - first.atMs)) * 1_000
  }
}

function kept(samples: readonly Sample[], sample: Sample): Sample[] {
  const before = samples.at(-1)
  // The gateway was started anew, or its clock was set back: what was counted before is over.
  const isAnew = before !== undefined && (sample.bytes < before.bytes || sample.atMs < before.atMs)
  if (isAnew) return [sample]
  if (before?.atMs === sample.atMs) return [...samples]
  return [...samples.filter(({ atMs }) => atMs >= sample.atMs - WINDOW_MS), sample]
}
