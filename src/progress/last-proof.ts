import { z } from 'zod'
import { ignoreMissing, replaceFile } from '../base/atomic-file.ts'
import type { Clock } from '../base/clock.ts'
import { type Disk, realDisk } from '../base/disk.ts'
import { LandbridgeError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { ReasonLog } from '../base/reason-log.ts'
import type { KnownLag } from './source-facts.ts'

export interface LastProofOptions {
  readonly path: string
  readonly clock: Clock
  readonly log: Log
  readonly disk?: Disk
  /** What is known now; null while nothing is. */
  readonly known: () => KnownLag | null
  /** Of which lineage of the source's transactions that is; 0 for the only one. */
  readonly lineage: () => number
}

const schema = z.object({
  version: z.literal(1),
  lineage: z.number().int().nonnegative(),
  /** By this machine's wall clock. */
  provenAtMs: z.number(),
  heldUntilMs: z.number().nullable().default(null),
  perSecondMax: z.number().nonnegative().nullable().default(null),
  missingSinceMs: z.number().nullable(),
  file: z.string().max(255).nullable(),
  offset: z.number().int().nonnegative().nullable(),
  gtids: z.string().nullable(),
  bytes: z.number().int().nonnegative().nullable(),
  transactions: z.number().int().nonnegative().nullable(),
})

const SAVE_EVERY_MS = 10_000
/** A larger set is left out: then places decide what is held, and counts are of the last save. */
const GTID_CHARACTERS_MAX = 64 * 1024
/** So far a clock may be set back between two starts; more, and the ages mean nothing. */
const AHEAD_MS_MAX = 5_000

/**
 * Remembers on disk until when the source is proven and what of it was missing: what would be lost
 * must still be known when production is gone and this gateway was restarted. Saved now and then
 * and at the end, beside the flow: nothing waits for it, and a full disk costs only this.
 */
export class LastProof {
  readonly #options: LastProofOptions
  readonly #reasons: ReasonLog
  #saved = ''

  constructor(options: LastProofOptions) {
    this.#options = options
    this.#reasons = new ReasonLog(options)
  }

  /** Null when there is none, it is damaged (logged), or it is about other transactions. */
  async load(): Promise<KnownLag | null> {
    const { clock, lineage } = this.#options
    const record = await this.#read()
    if (record === null || record.lineage !== lineage()) return null
    const provenAgoMs = clock.wallMs() - record.provenAtMs
    if (provenAgoMs < -AHEAD_MS_MAX) {
      this.#warn('it is from the future: the clock of this machine was set back')
      return null
    }
    const { file, offset, gtids, bytes, transactions, perSecondMax } = record
    const ago = (atMs: number | null) => (atMs === null ? null : Math.max(0, clock.wallMs() - atMs))
    return {
      ...{ file, offset, gtids, bytes, transactions, perSecondMax },
      provenAgoMs: Math.max(0, provenAgoMs),
      // How long ago a time of the future is, nobody knows.
      heldAgoMs: provenAgoMs < 0 ? null : ago(record.heldUntilMs),
      missingAgoMs: ago(record.missingSinceMs),
    }
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#options.clock.sleep(SAVE_EVERY_MS, { signal }).catch(() => undefined)
      await this.#save()
    }
  }

  async #read(): Promise<z.infer<typeof schema> | null> {
    const { path, disk = realDisk } = this.#options
    try {
      const text = await disk.readText(path).catch(ignoreMissing)
      return text === undefined ? null : schema.parse(JSON.parse(text))
    } catch (error) {
      this.#warn('it cannot be read', error)
      return null
    }
  }

  async #save(): Promise<void> {
    const { path, clock, known, lineage, disk = realDisk } = this.#options
    const lag = known()
    if (lag === null) return
    const { file, offset, gtids, bytes, transactions, perSecondMax } = lag
    const at = (ago: number | null) => (ago === null ? null : Math.floor(clock.wallMs() - ago))
    const record: z.infer<typeof schema> = {
      version: 1,
      lineage: lineage(),
      provenAtMs: Math.floor(clock.wallMs() - lag.provenAgoMs),
      heldUntilMs: at(lag.heldAgoMs),
      missingSinceMs: at(lag.missingAgoMs),
      ...{ file, offset, bytes, transactions, perSecondMax },
      gtids: gtids !== null && gtids.length <= GTID_CHARACTERS_MAX ? gtids : null,
    }
    const text = `${JSON.stringify(record)}\n`
    if (text === this.#saved) return
    try {
      await replaceFile(path, text, { disk })
      this.#saved = text
      this.#reasons.over()
    } catch (error) {
      this.#warn('it cannot be written', error)
    }
  }

  #warn(why: string, cause?: unknown): void {
    const { path } = this.#options
    const error = new LandbridgeError('ERR_LAST_PROOF', `${path}: ${why}`, {
      ...(cause !== undefined && { cause }),
      remedy:
        'Nothing to do while production can be reached: it is written anew. Until then a restart ' +
        'of this gateway forgets until when the source was known.',
    })
    this.#reasons.warnOf('what was last known of the source is not remembered', error)
  }
}
