import type { CopySample, DemoSample, GatewaySample, Percentiles } from './demo-sample.ts'

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

/** One line; of several copies one more for each. */
export function plainLine(sample: DemoSample): string {
  const several = sample.copies.filter(({ label }) => label !== '')
  const line = [
    `${Math.round(sample.elapsedSeconds)} s`,
    `${sample.transactions} transactions (${Math.round(sample.transactionsPerSecond)}/s)`,
    `binlog ${bytesText(sample.binlogBytes)}`,
    `tunnel ${bytesText(sample.tunnelBytes)}`,
    ...sample.copies.filter(({ label }) => label === '').map(copyText),
    ...troubles(sample),
  ].join(', ')
  return [line, ...several.map((copy) => `    ${copy.label}: ${copyText(copy)}`)].join('\n')
}

function copyText(copy: CopySample): string {
  return copyFigures(copy)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ')
}

function copyFigures(copy: CopySample): (readonly [string, string])[] {
  return [
    ['receive lag', percentilesText(copy.receiveLag)],
    ['apply lag', percentilesText(copy.applyLag)],
    ['round trip', msText(copy.roundTripMs)],
    ['replica', copy.replicaState],
  ]
}

export function tableLines(sample: DemoSample): string[] {
  const row = (name: string, value: string) => `  ${name.padEnd(22)} ${value}`
  const perSecond = Math.round(sample.transactionsPerSecond)
  return [
    row('running for', `${Math.round(sample.elapsedSeconds)} s`),
    row('transactions', `${sample.transactions}  (${perSecond} per second)`),
    row('binlog at the source', bytesText(sample.binlogBytes)),
    row('over the tunnel', bytesText(sample.tunnelBytes)),
    ...sample.copies.flatMap((copy) =>
      copy.label === ''
        ? copyFigures(copy).map(([name, value]) => row(name, value))
        : [row(copy.label, copyText(copy))],
    ),
    ...sample.gateways.map((gateway) => row(`${gateway.site} gateway`, gatewayText(gateway))),
  ]
}

function troubles(sample: DemoSample): string[] {
  return sample.gateways
    .filter(({ answers }) => !answers)
    .map((gateway) => `${gateway.site} gateway ${gatewayText(gateway)}`)
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
