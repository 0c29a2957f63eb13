import type { Clock } from '../base/clock.ts'
import { ClockOffset, type ClockReading } from '../base/clock-offset.ts'
import type { Flavor } from '../base/flavor.ts'
import { isBinlogName } from '../binlog/binlog-name.ts'
import type { SourceConnection } from './source-connection.ts'
import { readNewest, readSourceFiles, type SourceFile } from './source-facts.ts'

/** At `atMs` (this gateway's clock) the source's newest commit ended here. */
export interface NewestSample {
  readonly atMs: number
  readonly file: string
  readonly offset: number
  readonly gtids: string
  /** Of the server that said so; null on MariaDB. */
  readonly serverUuid: string | null
  /** The source's clock against that of this gateway. */
  readonly sourceClock: ClockReading | null
  /** All files of the source: when there is a new one, and every ten seconds. */
  readonly files?: SourceFile[]
}

/** Microseconds since 1970. In UTC: a local time can stand for two moments. */
const TIME_STATEMENT = `SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6))`
const FILES_EVERY_MS = 10_000

const EVERY_MS = 1_000
/**
 * While it is written to. Commits of a MariaDB say their time in seconds: what is held is proven by
 * samples alone.
 */
const EVERY_MS_MARIADB = 500
/** A longer set of GTIDs is not asked for so often. */
const OFTEN_CHARACTERS_MAX = 32 * 1024

/** What one source is asked again and again, over one connection. */
export class SourceQuestion {
  readonly flavor: Flavor
  readonly #connection: SourceConnection
  readonly #serverUuid: string | null
  readonly #clock: Clock
  readonly #sourceClock = new ClockOffset()
  #newestFile = ''
  #listedMs = Number.NEGATIVE_INFINITY
  #gtidCharacters = 0
  /** Where it was when it was last asked, and whether that was another place than before. */
  #place = ''
  #isMoving = false

  private constructor(
    connection: SourceConnection,
    facts: { readonly flavor: Flavor; readonly serverUuid: string | null },
    clock: Clock,
  ) {
    this.flavor = facts.flavor
    this.#connection = connection
    this.#serverUuid = facts.serverUuid
    this.#clock = clock
  }

  static async of(connection: SourceConnection, clock: Clock): Promise<SourceQuestion> {
    const version = (await connection.value('SELECT @@version')) ?? ''
    const flavor: Flavor = /mariadb/i.test(version) ? 'mariadb' : 'mysql'
    const serverUuid =
      flavor === 'mysql' ? await connection.value('SELECT @@GLOBAL.server_uuid') : null
    return new SourceQuestion(connection, { flavor, serverUuid }, clock)
  }

  /** How long to wait before it is asked again. */
  get everyMs(): number {
    const isShort = this.#gtidCharacters <= OFTEN_CHARACTERS_MAX
    const isOften = this.flavor === 'mariadb' && this.#isMoving && isShort
    return isOften ? EVERY_MS_MARIADB : EVERY_MS
  }

  /** Null where the source has no log, or names its files so that they are of no use. */
  async ask(): Promise<NewestSample | null> {
    const clock = this.#clock
    await this.#askTime()
    // Taken before the question: the answer is at least as new as this.
    const atMs = clock.wallMs()
    const newest = await readNewest(this.#connection, this.flavor)
    this.#gtidCharacters = newest?.gtids.length ?? 0
    const place = `${newest?.file} ${newest?.offset}`
    this.#isMoving = place !== this.#place
    this.#place = place
    // A file that the receiver has not heard of yet: bytes of lag cannot be counted into it.
    const isNewFile = newest !== null && newest.file !== this.#newestFile
    const isDue = clock.monotonicMs() - this.#listedMs >= FILES_EVERY_MS || isNewFile
    const files = isDue ? await this.#listFiles() : undefined
    this.#newestFile = newest?.file ?? this.#newestFile
    // The dump says that such a name is of no use.
    if (newest === null || !isBinlogName(newest.file)) return null
    const sourceClock = this.#sourceClock.reading(clock.wallMs())
    return { atMs, ...newest, serverUuid: this.#serverUuid, sourceClock, ...(files && { files }) }
  }

  async #listFiles(): Promise<SourceFile[]> {
    this.#listedMs = this.#clock.monotonicMs()
    const files = await readSourceFiles(this.#connection)
    return files.filter(({ name }) => isBinlogName(name))
  }

  /** Commit times in the binlog are by the clock of the source. */
  async #askTime(): Promise<void> {
    const askedMs = this.#clock.wallMs()
    const answer = await this.#connection.value(TIME_STATEMENT)
    const sourceMs = Number(answer) / 1000
    if (answer === null || !Number.isFinite(sourceMs)) return
    this.#sourceClock.record(askedMs, sourceMs, this.#clock.wallMs())
  }
}
