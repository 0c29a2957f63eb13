import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

const POLL_MS = 20

/**
 * Start of a process in clock ticks since boot, undefined when there is no such process. A pid
 * is used again some day; a pid together with its start is not.
 */
export function pidStartTicks(pid: number): string | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The name in parentheses may hold spaces and parentheses itself: count from the last one.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    // A zombie is over: only its parent has not looked yet.
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19]
  } catch {
    // No such process, or one that ended while it was read.
    return undefined
  }
}

export function isSameProcess(pid: number, startTicks: string): boolean {
  return pidStartTicks(pid) === startTicks
}

/** Sends the signal only if the process is still the one that is meant. */
export function signalProcess(pid: number, startTicks: string, signal: NodeJS.Signals): boolean {
  if (!isSameProcess(pid, startTicks)) return false
  try {
    return process.kill(pid, signal)
  } catch {
    // It ended between the look and the signal.
    return false
  }
}

/** True when the process is gone, false when `waitMs` passed before. */
export async function waitForExit(
  pid: number,
  startTicks: string,
  waitMs = Number.POSITIVE_INFINITY,
): Promise<boolean> {
  for (let waitedMs = 0; isSameProcess(pid, startTicks); waitedMs += POLL_MS) {
    if (waitedMs >= waitMs) return false
    await sleep(POLL_MS)
  }
  return true
}
