import { readFile } from 'node:fs/promises'

/** Of the kernel's clock ticks, by which /proc counts (USER_HZ), on every platform of Linux. */
const TICKS_PER_SECOND = 100
/** Places of utime and stime in /proc/PID/stat behind the name; of cutime and cstime. */
const OWN = [11, 12] as const
const CHILDREN = [13, 14] as const

/** Seconds of a processor that a running process has taken so far, with all its threads. */
export async function cpuSecondsOf(pid: number): Promise<number> {
  return await ticks(pid, OWN)
}

/** The same of all children of this process that have ended. */
export async function cpuSecondsOfChildren(): Promise<number> {
  return await ticks(process.pid, CHILDREN)
}

async function ticks(pid: number, places: readonly number[]): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1')
  // The name may hold anything, blanks and brackets too.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return places.reduce((sum, place) => sum + Number(fields[place]), 0) / TICKS_PER_SECOND
}
