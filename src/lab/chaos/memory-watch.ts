import { readFileSync } from 'node:fs'

/** Anonymous memory of one gateway over a run, in MiB. */
export interface MemoryReport {
  /** Median of the second tenth of the run: by then everything has been used once. */
  readonly beginMiB: number
  readonly maxMiB: number
  /** Median of the last tenth. */
  readonly endMiB: number
}

/** What a heap gains and loses by itself between two looks. */
const NOISE_MIB = 12
const TENTH = 0.1

/** Follows the memory of a process, from the beginning again when another one takes its place. */
export class MemoryWatch {
  #pid: number | null = null
  #samples: number[] = []

  observe(pid: number, anonymousMiB: number): void {
    if (pid !== this.#pid) this.#samples = []
    this.#pid = pid
    this.#samples.push(anonymousMiB)
  }

  /** Null when it did not run for long enough. */
  report(): MemoryReport | null {
    const count = this.#samples.length
    const part = Math.floor(count * TENTH)
    if (part < 1) return null
    return {
      beginMiB: median(this.#samples.slice(part, 2 * part)),
      maxMiB: Math.max(...this.#samples),
      endMiB: median(this.#samples.slice(-part)),
    }
  }
}

/** What speaks against this memory's being steady, or null. */
export function memoryGrowth(name: string, memory: MemoryReport | null): string | null {
  if (memory === null) return `${name}: too few samples of its memory; run for longer`
  const { beginMiB, endMiB } = memory
  if (endMiB - beginMiB <= NOISE_MIB) return null
  return `${name}: memory grew from ${beginMiB} to ${endMiB} MiB`
}

/** Memory of a process that no file backs; null when it is gone. `proc(5)`, RssAnon. */
export function anonymousMiB(pid: number): number | null {
  let text: string
  try {
    text = readFileSync(`/proc/${pid}/status`, 'utf8')
  } catch {
    // It ended, or is being started again: the next look finds its successor.
    return null
  }
  const kib = /^RssAnon:\s+(\d+) kB$/m.exec(text)?.[1]
  return kib === undefined ? null : Math.round(Number(kib) / 1_024)
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right)
  return sorted[Math.floor(sorted.length / 2)] ?? 0
}
