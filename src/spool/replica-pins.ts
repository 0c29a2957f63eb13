import { z } from 'zod'
import { ignoreMissing, replaceFile } from '../base/atomic-file.ts'
import type { Clock } from '../base/clock.ts'
import type { Disk } from '../base/disk.ts'

/** What one replica keeps from retention: this file and newer ones. */
export interface ReplicaPin {
  /** As the relay names the replica: its server_uuid, or `id:` and its server_id. */
  readonly id: string
  readonly ordinal: number
  /** Of the file that it was last served; 0: saved before that was noted. */
  readonly epoch: number
  /** How long ago that was last confirmed, in time that the spool was open. */
  readonly ageMs: number
}

const count = z.number().int().nonnegative()
const schema = z.object({
  format: z.literal(2),
  savedAtMs: count,
  needed: z.record(z.string(), z.object({ ordinal: count, atMs: count, epoch: count.default(0) })),
})
/** Before pins had an age. */
const schema1 = z.object({ format: z.literal(1), needed: z.record(z.string(), count) })

const SAVE_EVERY_MS = 60 * 60_000
/** Many more than a relay lets in at once; most of them are of replicas that are away. */
export const PINS_MAX = 256

export interface ReplicaPinsOptions {
  readonly path: string
  readonly disk: Disk
  readonly clock: Clock
  /** A pin that nobody confirms for so long is let go. */
  readonly ageMsMax: number
}

/** Which file (by ordinal) each replica still needs, kept over restarts of the gateway. */
export class ReplicaPins {
  readonly #options: ReplicaPinsOptions
  readonly #pins = new Map<string, Omit<ReplicaPin, 'id' | 'ageMs'> & { readonly atMs: number }>()
  #isChanged = false
  #savedMs = 0
  /** One after the other: all write the same temporary file. */
  #saving: Promise<void> = Promise.resolve()

  constructor(options: ReplicaPinsOptions) {
    this.#options = options
  }

  /**
   * The oldest ordinal needed by replicas of the lineage that began with `epoch`; infinite when
   * nothing is. To those of an earlier one nothing is ever served again.
   */
  neededFrom(epoch: number): number {
    const current = [...this.#pins.values()].filter((pin) => pin.epoch >= epoch)
    return Math.min(Number.POSITIVE_INFINITY, ...current.map(({ ordinal }) => ordinal))
  }

  list(): ReplicaPin[] {
    const nowMs = this.#options.clock.wallMs()
    return [...this.#pins].map(([id, { ordinal, epoch, atMs }]) => {
      return { id, ordinal, epoch, ageMs: nowMs - atMs }
    })
  }

  /**
   * Asked before a replica is served for the first time. `set` itself never refuses: whoever is
   * served needs its files, also when somebody released its pin meanwhile.
   */
  hasPlaceFor(id: string): boolean {
    return this.#pins.has(id) || this.#pins.size < PINS_MAX
  }

  set(id: string, ordinal: number, epoch: number): void {
    this.#pins.set(id, { ordinal, epoch, atMs: this.#options.clock.wallMs() })
    this.#isChanged = true
  }

  delete(id: string): boolean {
    const isThere = this.#pins.delete(id)
    this.#isChanged ||= isThere
    return isThere
  }

  /**
   * Lets go of what was not confirmed for too long, and returns it. Not of replicas of a lineage
   * before `epoch`: forgotten, they would be taken for new ones and served.
   */
  expire(epoch: number): ReplicaPin[] {
    const old = this.list().filter((pin) => {
      return pin.epoch >= epoch && pin.ageMs > this.#options.ageMsMax
    })
    for (const { id } of old) this.delete(id)
    return old
  }

  /** A damaged or missing file says nothing. */
  async load(): Promise<void> {
    const saved = await readPins(this.#options)
    if (saved === null) return
    const nowMs = this.#options.clock.wallMs()
    if (saved.format === 1) {
      for (const [id, ordinal] of Object.entries(saved.needed)) this.set(id, ordinal, 0)
      return
    }
    // No replica could connect while nothing ran: that time does not count.
    const awayMs = Math.max(0, nowMs - saved.savedAtMs)
    for (const [id, { ordinal, epoch, atMs }] of Object.entries(saved.needed)) {
      this.#pins.set(id, { ordinal, epoch, atMs: Math.min(nowMs, atMs + awayMs) })
    }
  }

  /** Saved pins may lag behind: an older pin only keeps more. */
  async save(): Promise<void> {
    const saving = this.#saving.then(() => this.#save())
    this.#saving = saving.catch(() => undefined)
    await saving
  }

  async #save(): Promise<void> {
    const savedAtMs = this.#options.clock.wallMs()
    const isDue = this.#pins.size > 0 && savedAtMs - this.#savedMs >= SAVE_EVERY_MS
    if (!this.#isChanged && !isDue) return
    this.#isChanged = false
    const needed = Object.fromEntries(this.#pins)
    const { path, disk } = this.#options
    const text = `${JSON.stringify({ format: 2, savedAtMs, needed })}\n`
    try {
      await replaceFile(path, text, { disk })
      this.#savedMs = savedAtMs
    } catch (error) {
      // The next save must not take what the disk refused for saved.
      this.#isChanged = true
      throw error
    }
  }

  /** The last word before the folder is given up: from here on time does not count. */
  async close(): Promise<void> {
    this.#isChanged ||= this.#pins.size > 0
    await this.save()
  }
}

async function readPins({
  disk,
  path,
}: ReplicaPinsOptions): Promise<z.output<typeof schema> | z.output<typeof schema1> | null> {
  const text = await disk.readText(path).catch((error: unknown) => {
    ignoreMissing(error)
    return null
  })
  if (text === null) return null
  try {
    return z.union([schema, schema1]).parse(JSON.parse(text))
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof z.ZodError) return null
    throw error
  }
}
