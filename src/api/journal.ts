import { randomUUID } from 'node:crypto'
import type { Clock } from '../base/clock.ts'
import { Condition } from '../base/condition.ts'
import { type Disk, realDisk } from '../base/disk.ts'
import { describeError, errorFields, LandbridgeError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { TroubleNow } from '../base/trouble.ts'
import { problemOf } from '../status/problem-of.ts'
import type { Problem } from '../status/status.ts'
import { DiskTurns } from './disk-turns.ts'
import {
  FIRST_PREVIOUS,
  follows,
  type JournalEntry,
  type JournalFacts,
  parseEntry,
  sealEntry,
} from './journal-entry.ts'
import { JournalFile } from './journal-file.ts'

export interface JournalOptions {
  readonly path: string
  readonly clock: Clock
  readonly log: Log
  readonly disk?: Disk
  readonly fileBytesMax?: number
  readonly filesMax?: number
}

/** A line before it has its place in the chain. */
type NewLine = Omit<JournalFacts, 'sequence' | 'atMs'>

const FILE_BYTES_MAX = 4 * 1024 * 1024
const FILES_MAX = 4
/** A detail that is larger is cut: the journal is for people. */
const DETAIL_CHARACTERS_MAX = 8 * 1024
/** Lines that can be asked for. */
const ENTRIES_MAX = 1_000
/** Lines that wait for a disk that takes them. */
const WAITING_MAX = 256
const RETRY_MS = 10_000

/**
 * What was asked of this gateway that changes something: a line of JSON when it begins, for each of
 * its steps, and when it ends. While the disk takes lines, each is synced before what it says is
 * done or reported. It carries the hash of the line before, so that a line of the two newest files
 * that was changed or taken out is noticed. The hash has no key: who can write the file can also
 * write all of it anew.
 *
 * A torn last line (the gateway was killed while it was written) is cut off. What had begun and has
 * no end is marked `interrupted` at the next start.
 *
 * A journal that cannot be written stops nobody: at the worst moment a full disk must not stand
 * between an operator and a failover. It is a problem of the status, and the lines wait in memory,
 * unsealed: their place in the chain is settled when they are written.
 */
export class Journal {
  readonly #options: JournalOptions
  readonly #file: JournalFile
  readonly #turns: DiskTurns
  readonly #changed = new Condition()
  /** Of the two newest files, at most the newest ones. */
  #entries: JournalEntry[] = []
  #waiting: Omit<JournalFacts, 'sequence'>[] = []
  /** Lines for which there was no place any more. */
  #dropped = 0
  /** Null until the file was read. */
  #last: Pick<JournalEntry, 'sequence' | 'hash'> | null = null
  #damage: TroubleNow<LandbridgeError> | null = null

  constructor(options: JournalOptions) {
    const { path, disk = realDisk } = options
    const { fileBytesMax = FILE_BYTES_MAX, filesMax = FILES_MAX } = options
    this.#options = options
    const failure = (cause: unknown): LandbridgeError => notWritten(path, cause)
    this.#turns = new DiskTurns({ ...options, failure })
    this.#file = new JournalFile({ path, disk, fileBytesMax, filesMax })
  }

  /** Reads what is there and ends what was interrupted. Never rejects: see above. */
  async open(): Promise<void> {
    await this.#turns.take(() => this.#flush())
  }

  /** Tries again, as long as lines wait for a disk that takes them. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        while (this.#waiting.length === 0) await this.#changed.wait({ signal })
        await this.#options.clock.sleep(RETRY_MS, { signal })
        await this.#turns.take(() => this.#flush())
      } catch (error) {
        if (!signal.aborted) throw error
      }
    }
  }

  /** Tries once more to write what waits. Never rejects. */
  async close(): Promise<void> {
    await this.#turns.take(() => this.#flush())
    await this.#turns.take(() => this.#file.close())
  }

  problems(): Problem[] {
    const troubles = [this.#turns.trouble, this.#damage].filter((one) => one !== null)
    return troubles.map((one) => problemOf(one, { severity: 'warning', where: 'journal' }))
  }

  /** Lines that wait for a disk that takes them, and that were lost because too many did. */
  get unwritten(): number {
    return this.#waiting.length + this.#dropped
  }

  /** A file of it was not as it had been written, when this process began. */
  get isDamaged(): boolean {
    return this.#damage !== null
  }

  /** The newest lines that are on the disk, oldest first. */
  entries(limit: number): readonly JournalEntry[] {
    return limit > 0 ? this.#entries.slice(-limit) : []
  }

  /** A run begins. Returns its name, once the line is synced or could not be. */
  async begin(facts: Pick<JournalFacts, 'operation' | 'caller' | 'detail'>): Promise<string> {
    const run = randomUUID().slice(0, 8)
    await this.add({ ...facts, phase: 'begun', run })
    return run
  }

  /** The run goes on or ends. Settles once the line is synced or could not be; never rejects. */
  async add(line: NewLine): Promise<void> {
    const facts = { ...line, atMs: this.#options.clock.wallMs(), detail: shown(line.detail) }
    await this.#turns.take(async () => {
      if (this.#waiting.length >= WAITING_MAX) await this.#flush().catch(() => undefined)
      if (this.#waiting.length < WAITING_MAX) this.#waiting.push(facts)
      else this.#dropped += 1
      await this.#flush()
    })
    if (this.#waiting.length > 0) this.#changed.notifyAll()
  }

  async #flush(): Promise<void> {
    const last = this.#last ?? (await this.#load())
    const lines = [...this.#waiting]
    if (this.#dropped > 0) lines.push(this.#gap(`${this.#dropped} lines could not be written`))
    if (lines.length === 0) return
    const sealed = seal(lines, last)
    await this.#file.add(sealed.map((entry) => `${JSON.stringify(entry)}\n`).join(''))
    this.#last = sealed.at(-1) ?? last
    this.#entries = [...this.#entries, ...sealed].slice(-ENTRIES_MAX)
    this.#waiting = []
    this.#dropped = 0
  }

  #gap(detail: string): Omit<JournalFacts, 'sequence'> {
    const atMs = this.#options.clock.wallMs()
    return { run: null, operation: '', caller: '', phase: 'gap', detail, atMs }
  }

  async #load(): Promise<Pick<JournalEntry, 'sequence' | 'hash'>> {
    const { earlier, lines } = await this.#file.load()
    const before = soundPart(earlier.map(parseEntry), null)
    const gaps: Omit<JournalFacts, 'sequence'>[] = []
    if (before.damagedLine !== null) gaps.push(await this.#putAside('.1', before.damagedLine))
    // Behind damage nobody knows what was before.
    const previous = before.damagedLine === null ? (before.entries.at(-1) ?? null) : null
    const now = soundPart(lines.map(parseEntry), previous)
    if (now.damagedLine !== null) gaps.push(await this.#putAside('', now.damagedLine))
    const entries = [...before.entries, ...now.entries]
    const last = entries.at(-1) ?? { sequence: 0, hash: FIRST_PREVIOUS }
    this.#entries = entries.slice(-ENTRIES_MAX)
    const left = interrupted(entries, this.#options.clock.wallMs())
    // A new file begins with a line that says why.
    this.#waiting = [...gaps, ...left, ...this.#waiting]
    this.#last = last
    return last
  }

  /** A journal that is not as it was written is kept, and the next line begins another. */
  async #putAside(suffix: string, line: number): Promise<Omit<JournalFacts, 'sequence'>> {
    const { path, clock, log } = this.#options
    const sinceMs = clock.wallMs()
    const aside = await this.#file.putAside(suffix, `damaged-${sinceMs}`)
    const error = new LandbridgeError(
      'ERR_JOURNAL_DAMAGED',
      `line ${line} of ${path}${suffix} is not as it was written; the file is kept as ${aside}`,
      { remedy: 'Find out who changed it. The warning is gone after the next restart.' },
    )
    log.error(errorFields(error), error.message)
    this.#damage = { error, sinceMs }
    return this.#gap(`line ${line} of a file was not as it was written; it is kept as ${aside}`)
  }
}

function seal(
  lines: readonly Omit<JournalFacts, 'sequence'>[],
  last: Pick<JournalEntry, 'sequence' | 'hash'>,
): JournalEntry[] {
  let before = last
  return lines.map((line) => {
    const entry = sealEntry({ ...line, sequence: before.sequence + 1 }, before.hash)
    before = entry
    return entry
  })
}

/** The lines up to the first that is not as it was written, which is counted from 1. */
function soundPart(
  lines: readonly (JournalEntry | null)[],
  before: JournalEntry | null,
): { readonly entries: JournalEntry[]; readonly damagedLine: number | null } {
  const entries: JournalEntry[] = []
  for (const [index, entry] of lines.entries()) {
    const previous = entries.at(-1) ?? before
    const begins = index === 0 && entry?.phase === 'gap'
    if (entry === null || !(begins || follows(previous, entry))) {
      return { entries, damagedLine: index + 1 }
    }
    entries.push(entry)
  }
  return { entries, damagedLine: null }
}

/** Of the runs that have begun and have no end, the line that ends each. */
function interrupted(
  entries: readonly JournalEntry[],
  atMs: number,
): Omit<JournalFacts, 'sequence'>[] {
  const isEnd = ({ phase }: JournalEntry) => phase !== 'begun' && phase !== 'step'
  const over = new Set(entries.filter(isEnd).map(({ run }) => run))
  return entries.flatMap(({ run, operation, caller, phase }) => {
    if (phase !== 'begun' || over.has(run)) return []
    return [{ run, operation, caller, phase: 'interrupted', detail: null, atMs }]
  })
}

/** Whatever an operation hands over: a journal has no place for what is no JSON. */
function shown(detail: unknown): unknown {
  try {
    const text = JSON.stringify(detail ?? null, (_key, value: unknown) =>
      typeof value === 'bigint' ? String(value) : value,
    )
    if (text.length <= DETAIL_CHARACTERS_MAX) return JSON.parse(text)
    return `${text.slice(0, DETAIL_CHARACTERS_MAX)}…`
  } catch (error) {
    return `(not shown: ${describeError(error)})`
  }
}

function notWritten(path: string, cause: unknown): LandbridgeError {
  return new LandbridgeError('ERR_JOURNAL_WRITE', `cannot write the journal ${path}`, {
    cause,
    retryable: true,
    remedy: 'Make room on the disk of dataDir. What is asked meanwhile is done all the same.',
  })
}
