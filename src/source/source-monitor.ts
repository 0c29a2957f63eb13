import { Backoff } from '../base/backoff.ts'
import type { Clock } from '../base/clock.ts'
import { ClockOffset, type ClockReading } from '../base/clock-offset.ts'
import { codeOf, type LandbridgeError } from '../base/errors.ts'
import type { Flavor } from '../base/flavor.ts'
import { isBinlogName } from '../binlog/binlog-name.ts'
import { crowded, type SourceAddress, SourceConnection } from './source-connection.ts'
import { readNewest, readSourceFiles, type SourceFile } from './source-facts.ts'

export interface SourceMonitorOptions {
  readonly address: SourceAddress
  readonly clock: Clock
  readonly everyMs?: number
  /** Called now and then, to look at what only a new dump would run into. */
  readonly inspect?: (connection: SourceConnection) => Promise<void>
}

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
  /** All files of the source: when there is a new one, and in every tenth sample. */
  readonly files?: SourceFile[]
}

export interface SourceMonitorTrouble {
  readonly error: LandbridgeError
  readonly sinceMs: number
}

/** Microseconds since 1970. In UTC: a local time can stand for two moments. */
const TIME_STATEMENT = `SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6))`

const EVERY_MS = 1_000
const FILES_EVERY = 10
const INSPECT_EVERY = 10

/** So long it stays away when no dump gets a connection. */
const GIVE_WAY_MS = 60_000
/** Where it alone has no connection, it is tried again after so long at most. */
const CROWDED_MS_MAX = 60_000

/**
 * Asks the source where it is, beside the dump and on a connection of its own: what the dump has
 * not delivered yet is known only this way. A source that does not answer yields no samples. Where
 * the login may have too few connections, the dump goes first.
 */
export class SourceMonitor {
  readonly #options: SourceMonitorOptions
  /** Ends the connection that it has. */
  #giving = new AbortController()
  #isAway = false
  #mayReturn = Promise.withResolvers<void>()
  #trouble: SourceMonitorTrouble | null = null

  constructor(options: SourceMonitorOptions) {
    this.#options = options
  }

  /** Why it has no connection while the dump has one; null where that is not so, or not known. */
  get trouble(): SourceMonitorTrouble | null {
    return this.#trouble
  }

  /** The dump gets no connection: this one is let go, until `comeBack`. */
  giveWay(): void {
    if (!this.#isAway) this.#mayReturn = Promise.withResolvers<void>()
    this.#isAway = true
    this.#giving.abort()
  }

  comeBack(): void {
    this.#isAway = false
    this.#mayReturn.resolve()
  }

  async run(onSample: (sample: NewestSample) => void, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options
    const backoff = new Backoff({ clock, capMs: 5_000 })
    const crowdedBackoff = new Backoff({ clock, firstMs: 1_000, capMs: CROWDED_MS_MAX })
    while (!signal.aborted) {
      this.#giving = new AbortController()
      try {
        await this.#away(signal)
        const either = AbortSignal.any([signal, this.#giving.signal])
        await this.#watch(onSample, [backoff, crowdedBackoff], either)
      } catch (error) {
        if (signal.aborted) break
        const isCrowded = !this.#isAway && codeOf(error) === 'ERR_SOURCE_CONNECTIONS'
        this.#noteTrouble(isCrowded ? error : null)
        // The dump's own connection reports what else is wrong with the source; here it is silence.
        await (isCrowded ? crowdedBackoff : backoff).wait({ signal }).catch(() => undefined)
      }
    }
    this.#trouble = null
  }

  #noteTrouble(cause: unknown): void {
    const sinceMs = this.#trouble?.sinceMs ?? this.#options.clock.wallMs()
    const message = 'the source gives the login no second connection beside the dump: nothing is'
    const text = `${message} known of its newest commit, so what would be lost is not known either`
    this.#trouble = cause === null ? null : { error: crowded(text, cause), sinceMs }
  }

  async #away(signal: AbortSignal): Promise<void> {
    if (!this.#isAway) return
    const done = new AbortController()
    const options = { signal: AbortSignal.any([signal, done.signal]) }
    const longest = this.#options.clock.sleep(GIVE_WAY_MS, options)
    try {
      await Promise.race([this.#mayReturn.promise, longest])
    } finally {
      done.abort()
      await longest.catch(() => undefined)
      this.#isAway = false
    }
  }

  async #watch(
    onSample: (sample: NewestSample) => void,
    backoffs: readonly Backoff[],
    signal: AbortSignal,
  ): Promise<void> {
    const { address, clock, everyMs = EVERY_MS, inspect } = this.#options
    const connection = await SourceConnection.open(address, signal)
    const abort = (): void => connection.close()
    signal.addEventListener('abort', abort, { once: true })
    try {
      const version = (await connection.value('SELECT @@version')) ?? ''
      const flavor: Flavor = /mariadb/i.test(version) ? 'mariadb' : 'mysql'
      const serverUuid =
        flavor === 'mysql' ? await connection.value('SELECT @@GLOBAL.server_uuid') : null
      const sourceClock = new ClockOffset()
      let file = ''
      for (let round = 0; !signal.aborted; round += 1) {
        await this.#askTime(connection, sourceClock)
        // Taken before the question: the answer is at least as new as this.
        const atMs = clock.wallMs()
        const newest = await readNewest(connection, flavor)
        // A file that the receiver has not heard of yet: bytes of lag cannot be counted into it.
        const isNewFile = newest !== null && newest.file !== file
        const isDue = round % FILES_EVERY === 0 || isNewFile
        const listed = isDue ? await readSourceFiles(connection) : undefined
        const files = listed?.filter(({ name }) => isBinlogName(name))
        file = newest?.file ?? file
        for (const backoff of backoffs) backoff.reset()
        this.#trouble = null
        // The dump says that such a name is of no use.
        const isUsable = newest !== null && isBinlogName(newest.file)
        if (isUsable) {
          const reading = sourceClock.reading(clock.wallMs())
          onSample({ atMs, ...newest, serverUuid, sourceClock: reading, ...(files && { files }) })
        }
        // Not at once: the dump that begins beside this has just looked.
        if (round % INSPECT_EVERY === INSPECT_EVERY - 1) await inspect?.(connection)
        await clock.sleep(everyMs, { signal })
      }
    } finally {
      signal.removeEventListener('abort', abort)
      connection.close()
    }
  }

  /** Commit times in the binlog are by the clock of the source. */
  async #askTime(connection: SourceConnection, sourceClock: ClockOffset): Promise<void> {
    const { clock } = this.#options
    const askedMs = clock.wallMs()
    const answer = await connection.value(TIME_STATEMENT)
    const sourceMs = Number(answer) / 1000
    if (answer !== null && Number.isFinite(sourceMs)) {
      sourceClock.record(askedMs, sourceMs, clock.wallMs())
    }
  }
}
