import { Backoff } from '../base/backoff.ts'
import type { Clock } from '../base/clock.ts'
import type { Flavor } from '../base/flavor.ts'
import { type SourceAddress, SourceConnection } from './source-connection.ts'
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
  /** All files of the source: when there is a new one, and in every tenth sample. */
  readonly files?: SourceFile[]
}

const EVERY_MS = 1_000
const FILES_EVERY = 10
const INSPECT_EVERY = 10

/**
 * Asks the source where it is, beside the dump and on a connection of its own: what the dump has
 * not delivered yet is known only this way. A source that does not answer yields no samples.
 */
export class SourceMonitor {
  readonly #options: SourceMonitorOptions

  constructor(options: SourceMonitorOptions) {
    this.#options = options
  }

  async run(onSample: (sample: NewestSample) => void, signal: AbortSignal): Promise<void> {
    const backoff = new Backoff({ clock: this.#options.clock, capMs: 5_000 })
    while (!signal.aborted) {
      try {
        await this.#watch(onSample, backoff, signal)
      } catch {
        if (signal.aborted) return
        // The dump's own connection reports what is wrong with the source; here it is silence.
        await backoff.wait({ signal }).catch(() => undefined)
      }
    }
  }

  async #watch(
    onSample: (sample: NewestSample) => void,
    backoff: Backoff,
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
      let file = ''
      for (let round = 0; !signal.aborted; round += 1) {
        // Taken before the question: the answer is at least as new as this.
        const atMs = clock.wallMs()
        const newest = await readNewest(connection, flavor)
        // A file that the receiver has not heard of yet: bytes of lag cannot be counted into it.
        const isNewFile = newest !== null && newest.file !== file
        const isDue = round % FILES_EVERY === 0 || isNewFile
        const files = isDue ? await readSourceFiles(connection) : undefined
        file = newest?.file ?? file
        backoff.reset()
        if (newest !== null) onSample({ atMs, ...newest, serverUuid, ...(files && { files }) })
        // Not at once: the dump that begins beside this has just looked.
        if (round % INSPECT_EVERY === INSPECT_EVERY - 1) await inspect?.(connection)
        await clock.sleep(everyMs, { signal })
      }
    } finally {
      signal.removeEventListener('abort', abort)
      connection.close()
    }
  }
}
