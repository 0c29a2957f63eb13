import type { Clock } from '../base/clock.ts'
import { type Disk, realDisk } from '../base/disk.ts'
import { describeError, errorFields, LandbridgeError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { Trouble, type TroubleNow } from '../base/trouble.ts'
import { problemOf } from '../status/problem-of.ts'
import type { Problem } from '../status/status.ts'
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

type NewLine = Pick<JournalFacts, 'run' | 'operation' | 'caller' | 'phase' | 'detail'>

const FILE_BYTES_MAX = 4 * 1024 * 1024
const FILES_MAX = 4
/** A detail that is larger is cut: the journal is for people. */
const DETAIL_CHARACTERS_MAX = 8 * 1024
/** Lines that can be asked for. */
const ENTRIES_MAX = 1_000
/** Lines that wait for a disk that takes them. */
const WAITING_MAX = 256

/**
 * What was asked of this gateway that changes something: a line of JSON when it begins, for each of
 * its steps, and when it ends. A line is synced before what it says is done or reported. It carries
 * the hash of the line before, so that a line that was changed or taken out is noticed.
 *
 * A torn last line (the gateway was killed while it was written) is cut off. What had begun and has
 * no end is marked `interrupted` at the next start.
 *
 * A journal that cannot be written stops nobody: at the worst moment a full disk must not stand
 * between an operator and a failover. It is a problem of the status, and the lines wait in memory.
 */
export class Journal {
  readonly #options: JournalOptions
  readonly #file: JournalFile
  /** Those of the two newest files, or that wait to be written. */
  #entries: JournalEntry[] = []
  #waiting: JournalEntry[] = []
  /** Lines for which there was no place any more. */
  #dropped = 0
  #last: Pick<JournalEntry, 'sequence' | 'hash'> = { sequence: 0, hash: FIRST_PREVIOUS }
  readonly #trouble: Trouble
  #damage: TroubleNow<LandbridgeError> | null = null
  /** One after the other. */
  #working: Promise<unknown> = Promise.resolve()

  constructor(options: JournalOptions) {
    const { path, disk = realDisk } = options
    const { fileBytesMax = FILE_BYTES_MAX, filesMax = FILES_MAX } = options
    this.#options = options
    this.#trouble = new Trouble(options.clock)
    this.#file = new JournalFile({ path, disk, fileBytesMax, filesMax })
  }

  /** Reads what is there and ends what was interrupted. Rejects never: see above. */
  async open(): Promise<void> {
    await this.#attempt(async () => {
      await this.#load()
      await this.#flush()
    })
    const over = new Set(
      this.#entries.flatMap(({ run, phase }) =>
        phase === 'begun' || phase === 'step' ? [] : [run],
      ),
    )
    const left = this.#entries.filter(({ run, phase }) => phase === 'begun' && !over.has(run))
    for (const { run, operation, caller } of left) {
      await this.#enqueue({ run, operation, caller, phase: 'interrupted', detail: null })
    }
  }

  async close(): Promise<void> {
    await this.#working
    await this.#file.close()
  }

  problems(): Problem[] {
    const troubles = [this.#trouble.now, this.#damage].filter((one) => one !== null)
    return troubles.map((one) => problemOf(one, { severity: 'warning', where: 'journal' }))
  }

  /** The newest lines, oldest first. */
  entries(limit: number): readonly JournalEntry[] {
    return limit > 0 ? this.#entries.slice(-limit) : []
  }

  /** A run begins. Returns its number, once the line is synced or could not be. */
  async begin(facts: Pick<JournalFacts, 'operation' | 'caller' | 'detail'>): Promise<number> {
    return await this.#enqueue({ ...facts, phase: 'begun', run: null })
  }

  /** The run goes on or ends. Settles once the line is synced or could not be. */
  async add(facts: NewLine): Promise<void> {
    await this.#enqueue(facts)
  }

  async #enqueue(line: NewLine): Promise<number> {
    const sequence = this.#working.then(() => this.#add(line))
    this.#working = sequence
    return await sequence
  }

  async #add(line: NewLine): Promise<number> {
    if (this.#waiting.length >= WAITING_MAX) this.#dropped += 1
    else this.#seal(line)
    const { sequence } = this.#last
    await this.#attempt(async () => await this.#flush())
    return sequence
  }

  async #flush(): Promise<void> {
    if (this.#waiting.length === 0) return
    await this.#file.add(this.#waiting.map((entry) => `${JSON.stringify(entry)}\n`).join(''))
    this.#waiting = []
    if (this.#dropped > 0) this.#gap(`${this.#dropped} lines could not be written`)
    this.#dropped = 0
  }

  #seal(line: NewLine): void {
    const sequence = this.#last.sequence + 1
    const run = line.phase === 'begun' ? sequence : line.run
    const atMs = this.#options.clock.wallMs()
    const facts = { ...line, sequence, atMs, run, detail: cut(line.detail) }
    const entry = sealEntry(facts, this.#last.hash)
    this.#last = entry
    this.#waiting.push(entry)
    this.#entries.push(entry)
    if (this.#entries.length > ENTRIES_MAX) this.#entries.shift()
  }

  #gap(detail: string): void {
    this.#seal({ run: null, operation: '', caller: '', phase: 'gap', detail })
  }

  async #load(): Promise<void> {
    const { earlier, lines } = await this.#file.load()
    const entries = lines.map(parseEntry)
    const before = earlier.map(parseEntry).filter((entry) => entry !== null)
    const damaged = entries.findIndex((entry, index) => {
      const previous = index === 0 ? before.at(-1) : entries[index - 1]
      return entry === null || (previous != null && !follows(previous, entry))
    })
    const sound = damaged < 0 ? entries : entries.slice(0, damaged)
    this.#entries = [...before, ...sound.filter((entry) => entry !== null)]
    this.#last = this.#entries.at(-1) ?? this.#last
    if (damaged >= 0) await this.#putAside(damaged + 1)
  }

  /** The rest of a journal is not believed: it is kept, and another is begun. */
  async #putAside(line: number): Promise<void> {
    const { clock, log } = this.#options
    const nowMs = clock.wallMs()
    const aside = await this.#file.putAside(`damaged-${nowMs}`)
    const error = new LandbridgeError(
      'ERR_JOURNAL_DAMAGED',
      `line ${line} of the journal is not as it was written; it is kept as ${aside}`,
      { remedy: 'Find out who changed it. The warning is gone after the next restart.' },
    )
    log.error(errorFields(error), error.message)
    this.#damage = { error, sinceMs: nowMs }
    this.#gap(`line ${line} was not as it was written; kept as ${aside}`)
  }

  async #attempt(work: () => Promise<void>): Promise<void> {
    try {
      await work()
      this.#trouble.over()
    } catch (cause) {
      const { path, log } = this.#options
      const error = new LandbridgeError('ERR_JOURNAL_WRITE', `cannot write the journal ${path}`, {
        cause,
        retryable: true,
        remedy: 'Make room on the disk of dataDir. What is asked meanwhile is done all the same.',
      })
      if (this.#trouble.met(error) === 'begun') log.error(errorFields(error), describeError(error))
    }
  }
}

function cut(detail: unknown): unknown {
  const text = JSON.stringify(detail ?? null)
  return text.length <= DETAIL_CHARACTERS_MAX ? detail : `${text.slice(0, DETAIL_CHARACTERS_MAX)}…`
}
