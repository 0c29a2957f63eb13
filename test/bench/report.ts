import type { Flavor } from '../../src/base/flavor.ts'

export const MEGABYTE = 1_000_000
export const GIGABYTE = 1_000_000_000

export interface Row {
  readonly name: string
  readonly megabytesPerSecond: number
  /** Above 1: faster than mysqlbinlog. */
  readonly ratio: number
  readonly seconds: readonly number[]
  /** Of the machine's: where this comes near to all of them, the processor is the limit. */
  readonly coresBusy: number
  readonly peakRssMegabytes: Readonly<Record<string, number>>
  /** Seconds of a processor that each process took, the source's too. */
  readonly cpuSecondsPerGigabyte: Readonly<Record<string, number>>
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
  const lines = rows.map((row) => {
    const { name, megabytesPerSecond, ratio, coresBusy } = row
    const memory = listed(row.peakRssMegabytes, 'MB')
    const processor = listed(row.cpuSecondsPerGigabyte, 's')
    const speed = `${megabytesPerSecond.toFixed(1).padStart(7)} MB/s  ${ratio.toFixed(2)} x`
    const busy = `${coresBusy.toFixed(1)} cores busy`
    const rest = `${processor && `  a GB: ${processor}`}${memory && `  peak memory: ${memory}`}`
    return `  ${name.padEnd(30)} ${speed}  ${busy}${rest}\n`
  })
  return `\n${flavor} ${version}, ${size}, ${cores} cores, Node ${node}\n${lines.join('')}`
}

function listed(values: Readonly<Record<string, number>>, unit: string): string {
  return Object.entries(values)
    .map(([who, value]) => `${who} ${value} ${unit}`)
    .join(', ')
}
