import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { describeError, LandbridgeError } from '../../base/errors.ts'
import { pidStartTicks } from './process-identity.ts'
import type { ServerPaths, StartServerOptions } from './server-options.ts'
import { connectSql } from './sql-connection.ts'

const START_MS_DEFAULT = 60_000
const POLL_MS = 30
const LOG_TAIL_BYTES = 3000

export interface StartedProcess {
  readonly pid: number
  readonly pidStartTicks: string
}

/** Starts the process with its output in the log file and waits until it answers over SQL. */
export async function launchServer(
  command: readonly string[],
  options: StartServerOptions,
  paths: ServerPaths,
): Promise<StartedProcess> {
  const child = spawnToLog(command, paths.log, options.detached ?? false)
  let failure: string | undefined
  child.once('error', (error) => (failure = describeError(error)))
  child.once('exit', (exitCode, signal) => (failure ??= `it ended with ${exitCode ?? signal}`))
  try {
    await waitUntilReady(options, paths, () => failure)
  } catch (error) {
    child.kill('SIGKILL')
    throw error
  }
  // A prefix may have put a process of its own in between: the server knows best who it is.
  const pid = readPidFile(paths.pidFile) ?? child.pid
  const startTicks = pid === undefined ? undefined : pidStartTicks(pid)
  if (pid === undefined || startTicks === undefined) throw startError(options, paths, 'it ended')
  if (options.detached === true) child.unref()
  else killWithThisProcess(child)
  return { pid, pidStartTicks: startTicks }
}

function spawnToLog(command: readonly string[], log: string, detached: boolean): ChildProcess {
  const [program, ...rest] = command
  if (program === undefined) throw new TypeError('a server needs a command')
  const output = openSync(log, 'a', 0o600)
  try {
    return spawn(program, rest, { detached, stdio: ['ignore', output, output] })
  } finally {
    closeSync(output)
  }
}

function killWithThisProcess(child: ChildProcess): void {
  const kill = () => child.kill('SIGKILL')
  process.once('exit', kill)
  child.once('exit', () => process.off('exit', kill))
}

async function waitUntilReady(
  options: StartServerOptions,
  paths: ServerPaths,
  failure: () => string | undefined,
): Promise<void> {
  const startMs = options.startMs ?? START_MS_DEFAULT
  const deadline = performance.now() + startMs
  for (;;) {
    options.signal?.throwIfAborted()
    const reason = failure()
    if (reason !== undefined) throw startError(options, paths, reason)
    if (await answers(paths.socket)) return
    if (performance.now() > deadline) {
      throw startError(options, paths, `no answer within ${startMs} ms`)
    }
    await sleep(POLL_MS)
  }
}

async function answers(socket: string): Promise<boolean> {
  try {
    const connection = await connectSql({ socket, connectMs: 5000 })
    await connection.end()
    return true
  } catch (error) {
    // A login that the server itself refuses is an answer too: data of somebody else's making.
    return error instanceof Error && 'code' in error && error.code === 'ER_ACCESS_DENIED_ERROR'
  }
}

function startError(options: StartServerOptions, paths: ServerPaths, reason: string) {
  return new LandbridgeError('ERR_SERVER_START', `${options.flavor} did not start: ${reason}`, {
    remedy: `read ${paths.log}`,
    details: { directory: options.directory, port: options.port, log: logTail(paths.log) },
  })
}

function logTail(path: string): string {
  try {
    return readFileSync(path, 'utf8').slice(-LOG_TAIL_BYTES)
  } catch {
    // No log is what the tail of the log says then.
    return ''
  }
}

function readPidFile(path: string): number | undefined {
  try {
    const pid = Number.parseInt(readFileSync(path, 'utf8'), 10)
    return Number.isSafeInteger(pid) && pid > 0 ? pid : undefined
  } catch {
    // Without the file the started process is the server itself.
    return undefined
  }
}
