import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { open } from 'node:fs/promises'
import { LandbridgeError } from '../../base/errors.ts'
import {
  isSameProcess,
  pidStartTicks,
  signalProcess,
  waitForExit,
} from '../servers/process-identity.ts'

/** A process of a lab as its state file names it: the start time makes the pid unambiguous. */
export interface ProcessRecord {
  readonly pid: number
  readonly pidStartTicks: string
  readonly argv: readonly string[]
  readonly logFile: string
}

/** Starts a process that outlives this one; its output goes to `logFile`. */
export async function startProcess(
  argv: readonly string[],
  options: { readonly logFile: string; readonly cwd?: string },
): Promise<ProcessRecord> {
  const [program = '', ...rest] = argv
  const log = await open(options.logFile, 'a')
  try {
    const child = spawn(program, rest, {
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
      cwd: options.cwd ?? '/',
    })
    await once(child, 'spawn')
    child.unref()
    const pid = child.pid ?? 0
    const startTicks = pidStartTicks(pid)
    if (startTicks === undefined) {
      throw new LandbridgeError('ERR_LAB_PROCESS', `${program} ended at once`, {
        remedy: `see ${options.logFile}`,
      })
    }
    return { pid, pidStartTicks: startTicks, argv, logFile: options.logFile }
  } finally {
    await log.close()
  }
}

type Identity = Pick<ProcessRecord, 'pid' | 'pidStartTicks'>

export function isRunning(record: Identity): boolean {
  return isSameProcess(record.pid, record.pidStartTicks)
}

/** SIGTERM, a bounded wait, SIGKILL. Quiet when the process is gone already. */
export async function stopProcess(record: Identity, waitMs = 10_000): Promise<void> {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    if (!signalProcess(record.pid, record.pidStartTicks, signal)) return
    if (await waitForExit(record.pid, record.pidStartTicks, waitMs)) return
  }
}

export function thisProcess(): Identity {
  return { pid: process.pid, pidStartTicks: pidStartTicks(process.pid) ?? '' }
}
