import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { createFolder, ignoreMissing, replaceFile } from '../base/atomic-file.ts'
import { realDisk } from '../base/disk.ts'
import { codeOf, describeError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { Spool } from './spool.ts'
import type { KnownSpool } from './spool-presence.ts'

export interface SpoolMemoryOptions {
  readonly dataDir: string
  readonly stream: string
  readonly spool: Pick<Spool, 'directory' | 'heldEpoch'>
  readonly log: Log
}

const schema = z.object({
  format: z.literal(1),
  directory: z.string(),
  epoch: z.number().int().positive(),
  startedAtMs: z.number(),
})

/**
 * `spool-STREAM.json` in the data directory: that a spool was in its folder, and how far it was.
 * Without this a start cannot tell a disk that is not mounted from a spool that is to begin. A
 * person removes the file to let one begin anew; another `spool.directory` counts as told so.
 */
export class SpoolMemory {
  readonly #options: SpoolMemoryOptions
  readonly #path: string
  #saved = ''
  #failure: string | null = null
  /** One after the other: all write the same temporary file. */
  #saving: Promise<void> = Promise.resolve()

  constructor(options: SpoolMemoryOptions) {
    this.#options = options
    this.#path = memoryPath(options)
  }

  async recall(): Promise<KnownSpool | null> {
    const { dataDir, stream, spool } = this.#options
    return await recallSpool({ dataDir, stream, directory: spool.directory })
  }

  /** To be called whenever more is held, and now and then; writes only what is new. */
  async remember(): Promise<void> {
    this.#saving = this.#saving.then(() => this.#remember())
    await this.#saving
  }

  async #remember(): Promise<void> {
    const { dataDir, spool, log } = this.#options
    const held = spool.heldEpoch()
    if (held === null) return
    const { epoch, startedAtMs } = held
    const content = { format: 1, directory: spool.directory, epoch, startedAtMs }
    const text = `${JSON.stringify(content)}\n`
    if (text === this.#saved) return
    try {
      await createFolder(dataDir, realDisk)
      await replaceFile(this.#path, text)
      this.#saved = text
      this.#failure = null
    } catch (error) {
      // The stream needs it less than the next start does: it is tried again.
      if (this.#failure === codeOf(error)) return
      this.#failure = codeOf(error)
      const what = `cannot remember in ${this.#path} that a spool is there`
      log.warn({ code: codeOf(error) }, `${what}: ${describeError(error)}`)
    }
  }
}

export interface SpoolOfStream {
  readonly dataDir: string
  readonly stream: string
  readonly directory: string
}

/** Null where nothing is remembered of a spool in `directory`. */
export async function recallSpool(spool: SpoolOfStream): Promise<KnownSpool | null> {
  const path = memoryPath(spool)
  const text = await readFile(path, 'utf8').catch(ignoreMissing)
  if (text === undefined) return null
  const record = parse(text)
  if (record === null) return { epoch: null, path }
  return record.directory === spool.directory ? { epoch: record, path } : null
}

function memoryPath({ dataDir, stream }: Pick<SpoolOfStream, 'dataDir' | 'stream'>): string {
  return join(dataDir, `spool-${stream}.json`)
}

function parse(text: string): z.output<typeof schema> | null {
  try {
    return schema.safeParse(JSON.parse(text)).data ?? null
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
}
