import { z } from 'zod'
import type { Clock } from '../base/clock.ts'
import { type Disk, realDisk } from '../base/disk.ts'
import { LandbridgeError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { problemOf } from '../status/problem-of.ts'
import type { Problem } from '../status/status.ts'
import { DiskTurns } from './disk-turns.ts'
import { JournalFile } from './journal-file.ts'

export const EVENT_SEVERITIES = ['info', 'warning', 'error', 'blocked'] as const

/** A line of the log of events. */
export const loggedEvent = z.object({
  sequence: z.int().positive(),
  atMs: z.number(),
  kind: z.string(),
  who: z.string(),
  what: z.string(),
  severity: z.enum(EVENT_SEVERITIES),
  detail: z.record(z.string(), z.unknown()),
  /** What it is about and what that is now, so that a restart knows what was told. */
  key: z.string().optional(),
  state: z.string().optional(),
})

export type LoggedEvent = Readonly<z.output<typeof loggedEvent>>
export type NewEvent = Omit<LoggedEvent, 'sequence' | 'atMs'>

export interface EventLogOptions {
  readonly path: string
  readonly clock: Clock
  readonly log: Log
  readonly disk?: Disk
  readonly fileBytesMax?: number
}

/** Two of them are read again; the rest is for people who look into the folder. */
const FILE_BYTES_MAX = 1024 * 1024
const FILES_MAX = 4
/** Events that can be asked for. */
const EVENTS_MAX = 2_000
/** Events that wait for a disk that takes them. */
const WAITING_MAX = 256
const WHAT_CHARACTERS_MAX = 1_000

/**
 * What happened to a gateway, as it noticed it itself: lines of JSON in four files at most. Apart
 * from the journal, which is of what people did: what comes and goes by itself must not push that
 * out, nor make its chain of hashes long. A disk that takes no line stops nobody.
 */
export class EventLog {
  readonly #options: EventLogOptions
  readonly #file: JournalFile
  readonly #turns: DiskTurns
  #events: LoggedEvent[] = []
  /** Without a number: until the file was read nobody knows it. */
  #waiting: Omit<LoggedEvent, 'sequence'>[] = []
  #isLoaded = false

  constructor(options: EventLogOptions) {
    const { path, disk = realDisk, fileBytesMax = FILE_BYTES_MAX } = options
    this.#options = options
    const failure = (cause: unknown): LandbridgeError => notWritten(path, cause)
    this.#turns = new DiskTurns({ ...options, failure })
    this.#file = new JournalFile({ path, disk, fileBytesMax, filesMax: FILES_MAX })
  }

  /** Reads what is there. Never rejects. */
  async open(): Promise<void> {
    await this.#turns.take(async () => await this.#flush())
  }

  /** Tries once more to write what waits. Never rejects. */
  async close(): Promise<void> {
    await this.#turns.take(async () => await this.#flush())
    await this.#turns.take(async () => await this.#file.close())
  }

  /** Settles when they are synced, or wait for that. Without any: tries those that wait. */
  async add(events: readonly NewEvent[]): Promise<void> {
    if (events.length === 0 && this.#waiting.length === 0) return
    const atMs = this.#options.clock.wallMs()
    await this.#turns.take(async () => {
      const cut = events.map((event) => {
        return { ...event, what: event.what.slice(0, WHAT_CHARACTERS_MAX), atMs }
      })
      this.#waiting = [...this.#waiting, ...cut].slice(-WAITING_MAX)
      await this.#flush()
    })
  }

  /** All that are known, oldest first, those that wait for the disk among them. */
  list(): readonly LoggedEvent[] {
    return [...this.#events, ...this.#numbered()]
  }

  problems(): Problem[] {
    const trouble = this.#turns.trouble
    return trouble === null ? [] : [problemOf(trouble, { severity: 'warning', where: 'events' })]
  }

  async #flush(): Promise<void> {
    this.#load(await this.#unloaded())
    const waiting = this.#numbered()
    if (waiting.length === 0) return
    await this.#file.add(waiting.map((event) => `${JSON.stringify(event)}\n`).join(''))
    this.#events = [...this.#events, ...waiting].slice(-EVENTS_MAX)
    this.#waiting = []
  }

  async #unloaded(): Promise<readonly string[] | null> {
    if (this.#isLoaded) return null
    const { earlier, lines } = await this.#file.load()
    return [...earlier, ...lines]
  }

  /** A line that cannot be read says nothing; the others still do. */
  #load(lines: readonly string[] | null): void {
    if (lines === null) return
    const events = lines.flatMap((line) => parseEvent(line) ?? [])
    this.#events = events.slice(-EVENTS_MAX)
    this.#isLoaded = true
  }

  /** What waits, as it will be written. */
  #numbered(): LoggedEvent[] {
    const last = this.#events.at(-1)?.sequence ?? 0
    return this.#waiting.map((event, index) => ({ ...event, sequence: last + 1 + index }))
  }
}

function parseEvent(line: string): LoggedEvent | null {
  try {
    return loggedEvent.safeParse(JSON.parse(line)).data ?? null
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
}

function notWritten(path: string, cause: unknown): LandbridgeError {
  return new LandbridgeError('ERR_EVENTS_WRITE', `cannot write the events ${path}`, {
    cause,
    retryable: true,
    remedy: 'Make room on the disk of dataDir. Events wait in memory until then.',
  })
}
