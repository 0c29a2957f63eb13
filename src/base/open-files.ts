import { readFileSync } from 'node:fs'

/**
 * How many descriptors this process may have open: its soft limit, which Node raises to the hard
 * one when it starts. Infinite where the system does not say (proc(5), /proc/PID/limits).
 */
export function openFilesMax(): number {
  try {
    return parseOpenFilesMax(readFileSync('/proc/self/limits', 'utf8'))
  } catch {
    // No Linux, or no /proc: nothing is known, and so nothing is limited.
    return Number.POSITIVE_INFINITY
  }
}

export function parseOpenFilesMax(limits: string): number {
  const soft = /^Max open files +(\d+|unlimited)/m.exec(limits)?.[1]
  return soft === undefined || soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft)
}
