import type { Flavor } from '../../src/base/flavor.ts'

export const MEGABYTE = 1_000_000

export interface Row {
  readonly name: string
  readonly megabytesPerSecond: number
  /** Above 1: faster than mysqlbinlog. */
  readonly ratio: number
  readonly seconds: readonly number[]
  /** Of the machine's: where this comes near to all of them, the processor is the limit. */
  readonly coresBusy: number
  readonly peakRssMegabytes: Readonly<Record<string, number>>
}

export interface Report {
  readonly flavor: Flavor
  readonly version: string
  readonly cores: number
  readonly node: string
  readonly bytes: number
  readonly rows: readonly Row[]
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

export function round(value: number, digits: number): number {
  return Number(value.toFixed(digits))
}

export function reportText({ flavor, version, bytes, cores, node, rows }: Report): string {
  const size = `${round(bytes / MEGABYTE, 1)} MB of binlog`
  const lines = rows.map(({ name, megabytesPerSecond, ratio, coresBusy, peakRssMegabytes }) => {
    const memory = Object.entries(peakRssMegabytes)
      .map(([who, megabytes]) => `${who} ${megabytes} MB`)
      .join(', ')
    const speed = `${megabytesPerSecond.toFixed(1).padStart(7)} MB/s  ${ratio.toFixed(2)} x`
    const busy = `${coresBusy.toFixed(1)} cores busy`
    return `  ${name.padEnd(30)} ${speed}  ${busy}${memory && `  peak memory: ${memory}`}\n`
  })
  return `\n${flavor} ${version}, ${size}, ${cores} cores, Node ${node}\n${lines.join('')}`
}
