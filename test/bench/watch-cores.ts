import { cpus } from 'node:os'

/** From now on; the result says how many cores of this machine were busy on average since. */
export function watchCores(): () => number {
  const before = timesMs()
  return () => {
    const after = timesMs()
    const passedMs = after.busy + after.idle - before.busy - before.idle
    return passedMs === 0 ? 0 : ((after.busy - before.busy) / passedMs) * cpus().length
  }
}

function timesMs(): { readonly busy: number; readonly idle: number } {
  const times = cpus().map((core) => core.times)
  const sum = (of: (time: (typeof times)[number]) => number): number =>
    times.reduce((all, time) => all + of(time), 0)
  return {
    busy: sum(({ user, nice, sys, irq }) => user + nice + sys + irq),
    idle: sum(({ idle }) => idle),
  }
}
