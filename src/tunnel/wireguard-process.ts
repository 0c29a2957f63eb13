import { type ChildProcess, spawn } from 'node:child_process'
import { mkdir, readFile, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { ignoreMissing, replaceFile } from '../base/atomic-file.ts'
import type { Clock } from '../base/clock.ts'
import { describeError, LandbridgeError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { PRIVATE_FOLDER_MODE } from '../base/private-folder.ts'
import { missingProgram, PROGRAM_ENV, type ProcessRunner } from './process-runner.ts'

export interface WireguardProcessOptions {
  /** argv of wireguard-go without the interface name. */
  readonly argv: readonly string[]
  readonly interfaceName: string
  /** Where the running process is noted, for the one who comes after a crash. */
  readonly recordPath: string
  readonly runner: ProcessRunner
  readonly clock: Clock
  readonly log?: Log
}

const STOP_MS_MAX = 3_000
const OUTPUT_MS_MAX = 200
const LAST_WORDS_CHARS = 64 * 1024
/** Where it breaks down itself, the last lines are where it stood: the reason stands above. */
const REASON = /^(panic|fatal error|ERROR)/
/** The second one spares us its advice to use the kernel's, which would be taken for its reason. */
const WIREGUARD_ENV = { LOG_LEVEL: 'error', WG_PROCESS_FOREGROUND: '1' } as const

/** One wireguard-go, in the foreground and in a session of its own, with a note on disk. */
export class WireguardProcess {
  readonly #options: WireguardProcessOptions
  #child: ChildProcess | null = null
  #exited: Promise<void> = Promise.resolve()
  #lastWords = ''
  #isNoted = false

  constructor(options: WireguardProcessOptions) {
    this.#options = options
  }

  get running(): boolean {
    return this.#child !== null && this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** Why it ended, in a line of its own words, for an error message; '' when it said nothing. */
  get reason(): string {
    const lines = this.#lastWords
      .replace(/[^\x20-\x7e\n]/g, '')
      .trim()
      .split('\n')
    return lines.findLast((line) => REASON.test(line)) ?? lines.at(-1) ?? ''
  }

  async start(): Promise<void> {
    const { argv, interfaceName, runner } = this.#options
    const [program = '', ...args] = argv
    const path = await runner.find(program)
    if (path === null) throw missingProgram(program)
    const child = spawn(path, [...args, '-f', interfaceName], {
      env: { ...PROGRAM_ENV, ...WIREGUARD_ENV },
      // It logs on its standard output; what ends it before it has a log is on the other.
      stdio: ['ignore', 'pipe', 'pipe'],
      // Ctrl-C in a terminal reaches the whole group; the tunnel must outlive the draining.
      detached: true,
    })
    this.#child = child
    for (const output of [child.stdout, child.stderr]) {
      output?.setEncoding('utf8').on('data', (text: string) => {
        this.#lastWords = (this.#lastWords + text).slice(-LAST_WORDS_CHARS)
      })
    }
    this.#exited = this.#ending(child)
    if (child.pid === undefined) return
    const startTime = await processStartTime(child.pid)
    await this.#note({ pid: child.pid, startTime })
  }

  /** Without it the one who comes after a crash removes the interface; a full disk ends nothing. */
  async #note(record: { readonly pid: number; readonly startTime: string | null }): Promise<void> {
    const { recordPath, log } = this.#options
    try {
      await mkdir(dirname(recordPath), { recursive: true, mode: PRIVATE_FOLDER_MODE })
      await replaceFile(recordPath, `${JSON.stringify(record)}\n`)
      this.#isNoted = true
    } catch (error) {
      if (!(error instanceof Error && 'syscall' in error)) throw error
      const what = `cannot note the process of wireguard-go: ${describeError(error)}`
      log?.warn({ code: 'ERR_TUNNEL_NOTE' }, what)
    }
  }

  /** Settles when it has ended and its last words are heard. */
  exited(): Promise<void> {
    return this.#exited
  }

  async stop(): Promise<void> {
    const child = this.#child
    // What this object did not start is endLeftover's business, and its note is not ours to remove.
    if (child === null) return
    if (this.running) {
      child.kill('SIGTERM')
      const { clock } = this.#options
      const giveUp = new AbortController()
      const late = clock.sleep(STOP_MS_MAX, { signal: giveUp.signal }).then(
        () => child.kill('SIGKILL'),
        () => undefined,
      )
      await this.#exited
      giveUp.abort()
      await late
    }
    for (const output of [child.stdout, child.stderr]) output?.destroy()
    this.#child = null
    // Where the note could not be written there may be no folder either.
    if (this.#isNoted) await unlink(this.#options.recordPath).catch(ignoreMissing)
    this.#isNoted = false
  }

  /** Ends the process that a crash of ours left, if the note still points at the very same one. */
  async endLeftover(): Promise<void> {
    const record = await readRecord(this.#options.recordPath)
    if (record === null) return
    const { clock } = this.#options
    for (const kill of ['SIGTERM', 'SIGKILL'] as const) {
      const deadlineMs = clock.monotonicMs() + STOP_MS_MAX
      if (!(await isSame(record))) break
      process.kill(record.pid, kill)
      while ((await isSame(record)) && clock.monotonicMs() < deadlineMs) await clock.sleep(20)
    }
    if (await isSame(record)) {
      throw new LandbridgeError(
        'ERR_TUNNEL_PROCESS',
        `wireguard-go of an earlier run (process ${record.pid}) does not end`,
        { retryable: true },
      )
    }
    await unlink(this.#options.recordPath).catch(ignoreMissing)
  }

  /** Its output ends with it, unless a child of its own holds on to that: then we do not wait. */
  #ending(child: ChildProcess): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const giveUp = new AbortController()
    const { clock } = this.#options
    child.once('exit', () => {
      clock.sleep(OUTPUT_MS_MAX, { signal: giveUp.signal }).then(resolve, resolve)
    })
    child.once('close', () => {
      giveUp.abort()
      resolve()
    })
    child.once('error', (error) => {
      this.#lastWords = error.message
      resolve()
    })
    return promise
  }
}

interface ProcessRecord {
  readonly pid: number
  readonly startTime: string
}

async function readRecord(path: string): Promise<ProcessRecord | null> {
  const text = await readFile(path, 'utf8').catch(ignoreMissing)
  if (text === undefined) return null
  try {
    const record = JSON.parse(text) as Partial<ProcessRecord>
    const { pid, startTime } = record
    if (!Number.isSafeInteger(pid) || (pid ?? 0) <= 1 || typeof startTime !== 'string') return null
    return { pid: pid ?? 0, startTime }
  } catch {
    // The note is for convenience; an unreadable one is as good as none.
    return null
  }
}

async function isSame({ pid, startTime }: ProcessRecord): Promise<boolean> {
  return (await processStartTime(pid)) === startTime
}

/** Start time in kernel ticks, which with the pid names a process for good. '' when it is gone. */
async function processStartTime(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  // The second field is the name in parentheses and may itself hold any character.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const isGone = fields[0] === 'Z' || fields[0] === 'X'
  return isGone ? '' : (fields[19] ?? '')
}
