import { execFile } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { codeOf, isAbortError } from '../../base/errors.ts'
import type { Log } from '../../base/log.ts'

export interface ServiceManagerOptions {
  /** Of the process: NOTIFY_SOCKET and WATCHDOG_USEC say what is wanted. */
  readonly env: Readonly<Record<string, string | undefined>>
  readonly log: Log
  /** Sends one message, by default with the program that comes with systemd. */
  readonly send?: (message: string) => Promise<unknown>
}

const run = promisify(execFile)
const SEND_MS_MAX = 5_000

/** A start that fails does so within this time; only then the gateway calls itself ready. */
const READY_AFTER_MS = 300

/**
 * Tells systemd (Type=notify, NotifyAccess=all) that the gateway is ready, alive, and stopping.
 * Node cannot write to a datagram socket, so `systemd-notify` does it. Does nothing where nobody
 * listens.
 */
export async function notifyServiceManager(
  options: ServiceManagerOptions,
  signal: AbortSignal,
): Promise<void> {
  const { env, log } = options
  if (!env.NOTIFY_SOCKET) return
  const send =
    options.send ?? ((message) => run('systemd-notify', [message], { timeout: SEND_MS_MAX }))
  const watchdogMs = Number(env.WATCHDOG_USEC ?? 0) / 1000
  try {
    await sleep(READY_AFTER_MS, undefined, { signal })
    await send('READY=1')
    while (watchdogMs > 0) {
      await sleep(watchdogMs / 2, undefined, { signal })
      await send('WATCHDOG=1')
    }
  } catch (error) {
    // A farewell to a service manager that has gone itself.
    if (isAbortError(error)) await send('STOPPING=1').catch(() => {})
    else log.warn({ error, code: codeOf(error) }, 'systemd could not be notified')
  }
}
