import { LandbridgeError } from '../base/errors.ts'
import { isLoopback } from '../base/loopback.ts'
import { untilAborted } from '../base/until-aborted.ts'
import { HttpService, metricsAnswer } from './http-service.ts'

export interface MetricsServerOptions {
  readonly listen: { readonly host: string; readonly port: number }
  /** The body of `GET /metrics`. */
  readonly metrics: () => Promise<string>
}

/** `GET /metrics` on a loopback port, for Prometheus or its node-local scraper. */
export class MetricsServer {
  readonly #options: MetricsServerOptions
  #port: number | null = null

  constructor(options: MetricsServerOptions) {
    this.#options = options
  }

  /** Rejects with ERR_METRICS_LISTEN; afterwards only stops with `signal`. */
  async run(signal: AbortSignal): Promise<void> {
    const { host, port } = this.#options.listen
    if (!isLoopback(host)) {
      throw new LandbridgeError('ERR_METRICS_LISTEN', `metrics.listen ${host} is not loopback`, {
        remedy: 'Listen on 127.0.0.1 and let a local scraper or proxy with TLS pass it on.',
      })
    }
    const metrics = async () => metricsAnswer(await this.#options.metrics())
    const service = new HttpService({ '/metrics': metrics })
    try {
      await service.listen({ host, port })
    } catch (cause) {
      const text = `cannot listen on metrics.listen ${host}:${port}`
      const remedy = 'Choose a free port, or find out with `ss -ltnp` who has this one.'
      throw new LandbridgeError('ERR_METRICS_LISTEN', text, { cause, remedy })
    }
    this.#port = service.port
    await untilAborted(signal)
    await service.close()
    this.#port = null
  }

  status(): { readonly port: number | null } {
    return { port: this.#port }
  }
}
