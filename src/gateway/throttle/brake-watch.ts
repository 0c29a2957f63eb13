import type { Clock } from '../../base/clock.ts'
import { LandbridgeError } from '../../base/errors.ts'
import { Brake, type BrakeAnswer } from '../../progress/brake.ts'
import type { ThrottleLimit } from '../../progress/throttle-limit.ts'
import type { BrakeConfig } from '../../progress/throttle-section.ts'
import { BrakeQuery } from '../../source/brake-query.ts'
import type { SourceAddress } from '../../source/source-connection.ts'
import { problemOf } from '../../status/problem-of.ts'
import type { Problem } from '../../status/status.ts'
import { askUrl, urlName } from './brake-url.ts'

export interface BrakeWatchOptions {
  readonly config: BrakeConfig
  /** Of the source: for a brake that is a query. */
  readonly address: SourceAddress
  readonly onChange: () => void
  readonly clock: Clock
}

/** Asks the brake again and again, one look at a time, and remembers what it said. */
export class BrakeWatch {
  readonly #options: BrakeWatchOptions
  readonly #brake: Brake

  constructor(options: BrakeWatchOptions) {
    const { config, clock } = options
    this.#options = options
    const name = 'url' in config.ask ? urlName(config.ask.url) : 'brake query'
    this.#brake = new Brake({ name, silentMs: config.silentMs, nowMs: clock.wallMs() })
  }

  limit(): ThrottleLimit | null {
    return this.#brake.limit(this.#options.clock.wallMs())
  }

  problems(where: string): Problem[] {
    const silence = this.#brake.silence(this.#options.clock.wallMs())
    if (silence === null) return []
    return [problemOf(silence, { where, severity: silence.holds ? 'warning' : 'error' })]
  }

  async run(signal: AbortSignal): Promise<void> {
    const { config, address, clock, onChange } = this.#options
    const { ask, everyMs, timeoutMs } = config
    const query = 'query' in ask ? new BrakeQuery({ address, sql: ask.query, timeoutMs }) : null
    const look = async (looking: AbortSignal): Promise<BrakeAnswer> => {
      if ('url' in ask) return await askUrl(ask.url, looking)
      const number = (await query?.ask(looking)) ?? 0
      return { brakes: number !== 0, text: String(number) }
    }
    try {
      while (!signal.aborted) {
        const startedMs = clock.monotonicMs()
        try {
          const answer = await this.#inTime(look, signal)
          this.#brake.answered(answer, clock.wallMs())
        } catch (error) {
          if (signal.aborted) break
          this.#brake.failed(error, clock.wallMs())
        }
        onChange()
        const tookMs = clock.monotonicMs() - startedMs
        await clock.sleep(Math.max(0, everyMs - tookMs), { signal }).catch(() => undefined)
      }
    } finally {
      query?.close()
    }
  }

  async #inTime<T>(look: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
    const { config, clock } = this.#options
    const ending = new AbortController()
    const done = new AbortController()
    const late = clock.sleep(config.timeoutMs, { signal: done.signal }).then(
      () => ending.abort(tooLate(config.timeoutMs)),
      () => undefined,
    )
    try {
      return await look(AbortSignal.any([signal, ending.signal]))
    } catch (error) {
      throw ending.signal.aborted ? ending.signal.reason : error
    } finally {
      done.abort()
      await late
    }
  }
}

function tooLate(timeoutMs: number): LandbridgeError {
  const message = `no answer within ${timeoutMs} ms`
  return new LandbridgeError('ERR_BRAKE_SILENT', message, { retryable: true })
}
