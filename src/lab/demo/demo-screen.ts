import type { DemoSample, GatewaySample, Percentiles } from './demo-sample.ts'

/** The terminal of the command line, which shows what would command it. */
export interface DemoOutput {
  /** True: a table refreshed in place; false: a plain line now and then. */
  readonly isScreen: boolean
  write(text: string): void
  /** Takes back the last lines. */
  eraseLines(count: number): void
}

const PLAIN_EVERY_SECONDS = 5

/** Where the demo writes for people: stages with their outcome, and one live table. */
export class DemoScreen {
  readonly #output: DemoOutput
  #tableLines = 0
  #plainAtSeconds = 0

  constructor(output: DemoOutput) {
    this.#output = output
  }

  line(text: string): void {
    this.#clearTable()
    this.#output.write(`${text}\n`)
  }

  stage(text: string): void {
    this.line(`\n${text}`)
  }

  done(text: string): void {
    this.line(`  ✓ ${text}`)
  }

  failed(text: string): void {
    this.line(`  ✗ ${text}`)
  }

  sample(sample: DemoSample): void {
    if (this.#output.isScreen) {
      this.#clearTable()
      const lines = tableLines(sample)
      this.#output.write(`${lines.join('\n')}\n`)
      this.#tableLines = lines.length
    } else if (sample.elapsedSeconds >= this.#plainAtSeconds) {
      this.#plainAtSeconds = sample.elapsedSeconds + PLAIN_EVERY_SECONDS
      this.line(`  ${plainLine(sample)}`)
    }
  }

  /** What was shown last stays; the next text goes below it. */
  keepTable(): void {
    this.#tableLines = 0
  }

  #clearTable(): void {
    if (this.#tableLines > 0) this.#output.eraseLines(this.#tableLines)
    this.#tableLines = 0
  }
}

export function plainLine(sample: DemoSample): string {
  return [
    `${Math.round(sample.elapsedSeconds)} s`,
    `${sample.transactions} transactions (${Math.round(sample.transactionsPerSecond)}/s)`,
    `binlog ${bytesText(sample.binlogBytes)}`,
    `tunnel ${bytesText(sample.tunnelBytes)}`,
    `receive lag ${percentilesText(sample.receiveLag)}`,
    `apply lag ${percentilesText(sample.applyLag)}`,
    `round trip ${msText(sample.roundTripMs)}`,
    `replica ${sample.replicaState}`,
    ...troubles(sample),
  ].join(', ')
}

export function tableLines(sample: DemoSample): string[] {
  const row = (name: string, value: string) => `  ${name.padEnd(22)} ${value}`
  return [
    row('running for', `${Math.round(sample.elapsedSeconds)} s`),
    row(
      'transactions',
      `${sample.transactions}  (${Math.round(sample.transactionsPerSecond)} per second)`,
    ),
    row('binlog at the source', bytesText(sample.binlogBytes)),
    row('over the tunnel', bytesText(sample.tunnelBytes)),
    row('receive lag', percentilesText(sample.receiveLag)),
    row('apply lag', percentilesText(sample.applyLag)),
    row('link round trip', msText(sample.roundTripMs)),
    row('replica', sample.replicaState),
    row('production gateway', gatewayText(sample.production)),
    row('DR gateway', gatewayText(sample.dr)),
  ]
}

function troubles(sample: DemoSample): string[] {
  const all = { 'production gateway': sample.production, 'DR gateway': sample.dr }
  return Object.entries(all)
    .filter(([, gateway]) => !gateway.answers)
    .map(([name, gateway]) => `${name} ${gatewayText(gateway)}`)
}

function gatewayText(gateway: GatewaySample): string {
  if (!gateway.running) return `NOT RUNNING (was pid ${gateway.pid ?? 'none'}), see above`
  return gateway.answers ? `pid ${gateway.pid}` : `pid ${gateway.pid}, does not answer yet`
}

export function percentilesText({ p50, p99 }: Percentiles): string {
  return p50 === null ? 'not measured yet' : `p50 ${msText(p50)}, p99 ${msText(p99)}`
}

export function msText(ms: number | null): string {
  if (ms === null) return 'unknown'
  return ms >= 10_000 ? `${(ms / 1_000).toFixed(1)} s` : `${Number(ms.toPrecision(3))} ms`
}

export function bytesText(bytes: number | null): string {
  if (bytes === null) return 'unknown'
  if (bytes >= 1e9) return `${(bytes / 1e9).toFixed(2)} GB`
  return bytes >= 1e6 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e3).toFixed(1)} kB`
}
