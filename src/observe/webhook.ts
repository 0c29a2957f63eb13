import { z } from 'zod'
import { ignoreMissing, replaceFile } from '../base/atomic-file.ts'
import { Backoff } from '../base/backoff.ts'
import type { Clock } from '../base/clock.ts'
import { type Disk, realDisk } from '../base/disk.ts'
import { describeError, errorFields, LandbridgeError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { Trouble } from '../base/trouble.ts'
import { problemOf } from '../status/problem-of.ts'
import type { GatewayStatus, Problem } from '../status/status.ts'
import { type Alert, alertsOf } from './alert.ts'
import { AlertBook, type AlertMessage } from './alert-book.ts'
import type { WebhookConfig } from './alerts-section.ts'
import type { MetricSheet } from './metric-sheet.ts'
import { webhookPayload } from './webhook-payload.ts'
import { postJson } from './webhook-post.ts'

export interface WebhookOptions {
  readonly config: WebhookConfig
  /** Where it remembers of what somebody was told. */
  readonly path: string
  readonly status: () => GatewayStatus
  readonly clock: Clock
  readonly log: Log
  readonly disk?: Disk
}

const LOOK_EVERY_MS = 5_000
const RETRY_FIRST_MS = 5_000
const RETRY_CAP_MS = 5 * 60_000

/**
 * Tells a receiver of Alertmanager's webhooks which problems there are, for those who have no
 * Prometheus. What cannot be told now is told later, as it is then; nothing waits for it.
 */
export class Webhook {
  readonly ground = [this]
  readonly #options: WebhookOptions
  readonly #disk: Disk
  readonly #trouble: Trouble<LandbridgeError>
  readonly #recordTrouble: Trouble<LandbridgeError>
  readonly #backoff: Backoff
  #book: AlertBook | null = null
  /** Of which alerts the file is. */
  #recorded = ''
  #sent = 0
  #failed = 0
  #nextMs = 0

  constructor(options: WebhookOptions) {
    const { clock, disk = realDisk } = options
    this.#options = options
    this.#disk = disk
    this.#trouble = new Trouble(clock)
    this.#recordTrouble = new Trouble(clock)
    this.#backoff = new Backoff({ clock, firstMs: RETRY_FIRST_MS, capMs: RETRY_CAP_MS })
  }

  async run(signal: AbortSignal): Promise<void> {
    const { config, clock, status } = this.#options
    const { holdOffMs, repeatMs } = config
    const book = new AlertBook({ holdOffMs, repeatMs, saved: await this.#load() })
    this.#book = book
    while (!signal.aborted) {
      await clock.sleep(LOOK_EVERY_MS, { signal }).catch(() => undefined)
      if (signal.aborted) return
      book.look(alertsOf(status()), clock.wallMs())
      const message = clock.monotonicMs() < this.#nextMs ? null : book.due(clock.wallMs())
      if (message !== null) await this.#tell(book, message, signal)
      await this.#record(book)
    }
  }

  problems(): Problem[] {
    const troubles = [this.#trouble.now, this.#recordTrouble.now].filter((one) => one !== null)
    return troubles.map((one) => problemOf(one, { severity: 'warning', where: 'webhook' }))
  }

  metrics(sheet: MetricSheet): void {
    const own = sheet.of('landbridge_webhook_')
    const help = 'Messages to the webhook since the start'
    own.counter('messages_total', help, this.#sent, { result: 'sent' })
    own.counter('messages_total', help, this.#failed, { result: 'failed' })
    const counts = this.#book?.counts(this.#options.clock.wallMs()) ?? { firing: 0, waiting: 0 }
    own.gauge('firing_alerts', 'Alerts that fire', counts.firing)
    own.gauge('waiting_alerts', 'Alerts that it has not been told of yet', counts.waiting)
  }

  async #tell(book: AlertBook, message: AlertMessage, signal: AbortSignal): Promise<void> {
    const { config, clock, log, status } = this.#options
    const { alerts, truncated } = message
    try {
      await postJson(config, webhookPayload(status().name, alerts, truncated), signal)
      book.told(message, clock.wallMs())
      this.#sent += 1
      this.#backoff.reset()
      this.#trouble.over()
    } catch (error) {
      if (signal.aborted) return
      if (!(error instanceof LandbridgeError)) throw error
      this.#failed += 1
      this.#nextMs = clock.monotonicMs() + this.#backoff.nextMs()
      if (this.#trouble.met(error) === 'begun') log.warn(errorFields(error), describeError(error))
    }
  }

  /** What was told before a restart; nothing of a file that cannot be used. */
  async #load(): Promise<readonly Alert[]> {
    const { path, log } = this.#options
    try {
      const text = await this.#disk.readText(path)
      const { alerts } = recordSchema.parse(JSON.parse(text))
      this.#recorded = keyOf(alerts)
      return alerts
    } catch (error) {
      if (error instanceof SyntaxError || error instanceof z.ZodError) {
        log.warn({ path }, 'the record of alerts that were sent is damaged, and begun anew')
        return []
      }
      try {
        ignoreMissing(error)
      } catch (cause) {
        this.#recordFailed(cause)
      }
      return []
    }
  }

  async #record(book: AlertBook): Promise<void> {
    const alerts = book.known()
    const key = keyOf(alerts)
    if (key === this.#recorded) return
    try {
      const text = `${JSON.stringify({ format: 1, alerts })}\n`
      await replaceFile(this.#options.path, text, { disk: this.#disk })
      this.#recorded = key
      this.#recordTrouble.over()
    } catch (cause) {
      this.#recordFailed(cause)
    }
  }

  #recordFailed(cause: unknown): void {
    const { path, log } = this.#options
    const message = `cannot keep in ${path} which alerts were sent`
    const remedy = 'Make room on the disk of dataDir, and see that the gateway may write there.'
    const error = new LandbridgeError('ERR_WEBHOOK_RECORD', message, { cause, remedy })
    if (this.#recordTrouble.met(error) === 'begun') {
      log.warn(errorFields(error), describeError(error))
    }
  }
}

const texts = z.record(z.string(), z.string())
const recordSchema = z.object({
  format: z.literal(1),
  alerts: z.array(
    z.object({
      fingerprint: z.string(),
      labels: texts,
      annotations: texts,
      startsAtMs: z.number().nonnegative().max(8.64e15),
    }),
  ),
})

/** Words that change by the second are no reason to write. */
function keyOf(alerts: readonly Alert[]): string {
  return alerts.map(({ fingerprint }) => fingerprint).join()
}
