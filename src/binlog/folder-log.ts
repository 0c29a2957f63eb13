import { join } from 'node:path'
import { ignoreMissing } from '../base/atomic-file.ts'
import type { Clock } from '../base/clock.ts'
import { CompactText } from '../base/compact-text.ts'
import { type Disk, type ReadableFile, realDisk } from '../base/disk.ts'
import { isLandbridgeError, LandbridgeError } from '../base/errors.ts'
import { Turns } from '../base/turns.ts'
import { baseOf, isBinlogName, numberOf } from './binlog-name.ts'
import { endsClosed } from './file-end.ts'
import { type FileHead, readFileHead } from './file-head.ts'
import { parseGtidSet } from './gtid-set.ts'
import {
  type BinaryLog,
  isPast,
  type LogFile,
  type LogLineage,
  type LogPlace,
  type SourceIdentity,
} from './log.ts'
import { LogTail } from './log-tail.ts'
import { removedMeanwhile } from './removed-file.ts'
import { syncRead } from './sync-read.ts'

export interface FolderLogOptions {
  readonly directory: string
  readonly clock: Clock
  /** Where the files are; default: the real one. */
  readonly disk?: Disk
  /** Their names before the number. Default: the only one that binlog files in the folder have. */
  readonly baseName?: string
  /** Who wrote them: a file does not say. */
  readonly serverUuid?: string | null
  /** How often the folder is looked at while somebody waits. */
  readonly pollMs?: number
}

const POLL_MS = 500
/** Of a set of GTIDs in a message. */
const SHOWN_LENGTH_MAX = 300

class FolderFile implements LogFile {
  readonly ordinal: number
  readonly epoch = 1
  readonly name: string
  readonly path: string
  readonly #gtidsBefore: CompactText

  constructor(name: string, path: string, gtidsBefore: CompactText) {
    this.ordinal = numberOf(name)
    this.name = name
    this.path = path
    this.#gtidsBefore = gtidsBefore
  }

  /** Made anew each time: to be asked rarely. */
  get gtidsBefore(): string {
    return this.#gtidsBefore.toString()
  }
}

/** A file that is known: its size when it will not grow any more, else what follows it. */
interface KnownFile {
  readonly file: LogFile
  readonly head: FileHead
  readonly end: { readonly bytes: number } | LogTail
}

/** What a look found: replaced at once, so that nobody reads half of a change. */
interface Shown {
  readonly files: readonly LogFile[]
  readonly bytes: ReadonlyMap<number, number>
  readonly identity: SourceIdentity | null
  readonly end: LogPlace | null
  readonly gtids: string
}

const NOTHING: Shown = { files: [], bytes: new Map(), identity: null, end: null, gtids: '' }

/**
 * The binlog files of one server in a folder, as a log: what `mysqlbinlog --raw` writes, a server's
 * own or a copy of them, an epoch of a spool. Nothing is written. Empty until the first `refresh`,
 * which sees the folder as it is; whoever waits looks again and again.
 *
 * A file's place in the order is the number in its name. The newest one ends with its last whole
 * transaction, and so does one that its server never closed, if the next one goes on from there;
 * what is behind is left out.
 */
export class FolderLog implements BinaryLog {
  readonly #options: FolderLogOptions
  readonly #disk: Disk
  readonly #turns = new Turns()
  #known: readonly KnownFile[] = []
  #shown = NOTHING
  /** Of a sync: no later one may vouch for what it did not save. */
  #failure: LandbridgeError | null = null

  constructor(options: FolderLogOptions) {
    this.#options = options
    this.#disk = options.disk ?? realDisk
  }

  /**
   * Looks at the folder again. Throws ERR_BINLOG_FOLDER where its files are no log (to be tried
   * again where a file ends before the next one goes on: it may be being copied), ERR_BINLOG_GTIDS,
   * ERR_BINLOG_ENCRYPTED, ERR_NOT_A_BINLOG, ERR_EVENT_CHECKSUM of a head and the system's errors;
   * what was known stays then. ERR_BINLOG_SYNC is thrown from then on.
   */
  async refresh({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    const release = await this.#turns.take(signal)
    try {
      if (this.#failure !== null) throw this.#failure
      await this.#look(signal)
    } catch (error) {
      if (isLandbridgeError(error) && error.code === 'ERR_BINLOG_SYNC') this.#failure = error
      throw error
    } finally {
      release()
    }
  }

  identity(): SourceIdentity | null {
    return this.#shown.identity
  }

  /** A reset of the source begins a folder anew. */
  lineage(): LogLineage | null {
    return null
  }

  files(): readonly LogFile[] {
    return this.#shown.files
  }

  end(): LogPlace | null {
    return this.#shown.end
  }

  readableBytes({ ordinal }: LogFile): number {
    return this.#shown.bytes.get(ordinal) ?? 0
  }

  gtids(): string {
    return this.#shown.gtids
  }

  gtidsBeforeEpoch(): string {
    return ''
  }

  purgedGtids(): string {
    return this.#shown.files[0]?.gtidsBefore ?? ''
  }

  async open({ path }: LogFile): Promise<ReadableFile> {
    return await this.#disk.open(path, 'r').catch((cause: unknown) => {
      ignoreMissing(cause)
      throw removedMeanwhile(path)
    })
  }

  async waitPast(place: LogPlace, options: { readonly signal: AbortSignal }): Promise<void> {
    const { clock, pollMs = POLL_MS } = this.#options
    while (!isPast(this.end(), place)) {
      await this.refresh(options)
      if (isPast(this.end(), place)) return
      await clock.sleep(pollMs, options)
    }
  }

  async #look(signal: AbortSignal): Promise<void> {
    const found = await this.#names()
    const before = new Map(this.#known.map((known) => [known.file.name, known]))
    const newest = this.#known.at(-1)?.file.name
    if (newest !== undefined && !found.includes(newest)) {
      throw this.#refused(`${newest}, the newest of before, is gone`)
    }
    const known: KnownFile[] = []
    const heads = [...(await this.#heads(found, before))]
    for (const [index, [name, head]] of heads.entries()) {
      signal.throwIfAborted()
      const next = heads[index + 1]
      const { file } = before.get(name) ?? {
        file: await this.#begin(name, head, known.at(-1), signal),
      }
      const end = before.get(name)?.end ?? null
      known.push({ file, head, end: await this.#follow(file, head, end, next, signal) })
    }
    if (known.length !== this.#known.length || known.at(-1)?.file.name !== newest) {
      const { directory } = this.#options
      await syncRead(directory, () => this.#disk.syncDirectory(directory))
    }
    this.#known = known
    this.#shown = this.#toShow(known)
  }

  /** In order. Throws ERR_BINLOG_FOLDER. */
  async #names(): Promise<string[]> {
    const { directory, baseName } = this.#options
    const names = (await this.#disk.readdir(directory)).filter(isBinlogName)
    const found = names.filter((name) => baseName === undefined || baseOf(name) === baseName)
    const bases = new Set(found.map(baseOf))
    if (bases.size > 1) {
      const shown = [...bases].slice(0, 5).join(', ')
      throw this.#refused(`there are files of several base names: ${shown}`)
    }
    found.sort((one, other) => numberOf(one) - numberOf(other))
    for (const [index, name] of found.entries()) {
      const before = found[index - 1]
      if (before !== undefined && numberOf(name) !== numberOf(before) + 1) {
        throw this.#refused(`nothing that could stand between ${before} and ${name}`)
      }
    }
    return found
  }

  /** Of each file; not of the newest one while that is about to begin. */
  async #heads(
    names: readonly string[],
    before: ReadonlyMap<string, KnownFile>,
  ): Promise<ReadonlyMap<string, FileHead>> {
    const heads = new Map<string, FileHead>()
    for (const name of names) {
      const path = join(this.#options.directory, name)
      const head = before.get(name)?.head ?? (await readFileHead(path, this.#disk))
      if (head === null && name !== names.at(-1)) throw this.#refused(`${name} has no whole event`)
      if (head === null) continue
      const [first = head] = heads.values()
      if (head.flavor !== first.flavor) {
        throw this.#refused(`${name} is of ${head.flavor}, those before it of ${first.flavor}`)
      }
      heads.set(name, head)
    }
    return heads
  }

  async #begin(
    name: string,
    head: FileHead,
    previous: KnownFile | undefined,
    signal: AbortSignal,
  ): Promise<LogFile> {
    const path = join(this.#options.directory, name)
    const gtidsBefore =
      head.gtidsBefore ?? new CompactText(await this.#gtidsBehind(previous, signal))
    return new FolderFile(name, path, gtidsBefore)
  }

  /** Where a file does not say what is before it, the file before is read. */
  async #gtidsBehind(previous: KnownFile | undefined, signal: AbortSignal): Promise<string> {
    if (previous === undefined) return ''
    const tail = this.#tailOf(previous.file, previous.head)
    await tail.follow(signal)
    return tail.gtids.toString()
  }

  async #follow(
    file: LogFile,
    head: FileHead,
    before: KnownFile['end'] | null,
    next: readonly [name: string, head: FileHead] | undefined,
    signal: AbortSignal,
  ): Promise<KnownFile['end']> {
    if (before !== null && !(before instanceof LogTail)) return before
    const { size } = await this.#disk.stat(file.path)
    if (before === null && next !== undefined && (await this.#isClosed(file, size, head))) {
      return { bytes: size }
    }
    const tail = before ?? this.#tailOf(file, head)
    if (size < tail.seenBytes) throw this.#refused(`${file.name} is shorter than it was`)
    if (size > tail.seenBytes) await tail.follow(signal)
    if (next === undefined) return tail
    if (tail.stoppedBy !== null) {
      throw this.#refused(`${file.name} is damaged at ${tail.bytes}: ${tail.stoppedBy}`)
    }
    this.#refuseHole(file, tail, next)
    return { bytes: tail.bytes }
  }

  /** Of a file that is still being copied the end is not there yet: it must not count as whole. */
  #refuseHole({ name }: LogFile, tail: LogTail, [next, head]: readonly [string, FileHead]): void {
    if (head.gtidsBefore === null) return
    const stated = parseGtidSet(head.flavor, head.gtidsBefore.toString())
    const missing = stated.missingFrom(tail.gtids)
    if (missing === '') return
    const lacks = missing.slice(0, SHOWN_LENGTH_MAX)
    throw this.#refused(`${next} stands on what ${name} and those before it lack: ${lacks}`, {
      retryable: true,
    })
  }

  /** Whether its server closed it, so that all of it is whole: then it need not be read. */
  async #isClosed({ path }: LogFile, size: number, { checksum }: FileHead): Promise<boolean> {
    const file = await this.#disk.open(path, 'r')
    try {
      if (!(await endsClosed(file, size, checksum))) return false
      await syncRead(path, () => file.datasync())
      return true
    } finally {
      await file.close()
    }
  }

  #tailOf({ path, gtidsBefore }: LogFile, { flavor }: FileHead): LogTail {
    return new LogTail({ path, disk: this.#disk, flavor, gtidsBefore })
  }

  #toShow(known: readonly KnownFile[]): Shown {
    const newest = known.at(-1)
    if (newest === undefined || !(newest.end instanceof LogTail)) return NOTHING
    const { flavor, serverVersion, serverId } = newest.head
    const { serverUuid = null } = this.#options
    return {
      files: known.map(({ file }) => file),
      bytes: new Map(known.map(({ file, end }) => [file.ordinal, end.bytes])),
      identity: { flavor, serverVersion, serverId, serverUuid, gtidDomainId: null },
      end: { ordinal: newest.file.ordinal, offset: newest.end.bytes },
      gtids: newest.end.gtids.toString(),
    }
  }

  #refused(what: string, options: { readonly retryable?: boolean } = {}): LandbridgeError {
    const { directory } = this.#options
    return new LandbridgeError('ERR_BINLOG_FOLDER', `${directory} is no binlog to read: ${what}`, {
      remedy:
        'Put all binlog files of one server there, from the oldest one wanted to the newest ' +
        'without a gap; or name their base name where there are others.',
      details: { path: directory },
      ...options,
    })
  }
}
