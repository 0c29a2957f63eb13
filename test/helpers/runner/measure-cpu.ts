import { readFileSync } from 'node:fs'
import { afterAll } from 'vitest'

declare module 'vitest' {
  interface TaskMeta {
    /** Processor time of the file and of the programs that it started and that have ended. */
    cpuMs?: number
  }
}

const MS_PER_TICK = 10

/** utime, stime, cutime and cstime of /proc/self/stat, where there is one. */
function usedMs(): number | null {
  try {
    const text = readFileSync('/proc/self/stat', 'latin1')
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) * MS_PER_TICK
  } catch {
    // Not on Linux: then the report does not have it.
    return null
  }
}

// A set-up file's hook ends last. Each test file has a process of its own.
// biome-ignore lint/correctness/noEmptyPattern: vitest wants a pattern for what a hook takes first.
afterAll(({}, suite) => {
  const cpuMs = usedMs()
  if (cpuMs !== null) suite.meta.cpuMs = cpuMs
})
