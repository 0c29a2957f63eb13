import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { ignoreMissing, replaceFile } from '../base/atomic-file.ts'
import { LandbridgeError } from '../base/errors.ts'
import { PRIVATE_FOLDER_MODE } from '../base/private-folder.ts'
import { firstTerm, type TermRecord, termRecordSchema } from '../status/term-record.ts'

const schema = z.object({
  format: z.literal(1),
  stream: z.string(),
  /** Whose file it is: a duty is of one site, and a copied file brings none. */
  site: z.string(),
  record: termRecordSchema,
  /** Whether this site was, or may have been, the origin of an older term. */
  fence: z.boolean(),
})

export interface KnownTerm {
  readonly record: TermRecord
  /** Whether this site has to keep its database read-only, as a former origin. */
  readonly fence: boolean
}

export interface TermPlace {
  readonly dataDir: string
  readonly site: string
  readonly stream: { readonly name: string; readonly origin: string }
}

/**
 * The newest term of a stream that this gateway knows: `term-STREAM.json` in the data directory, or
 * the first one, whose origin the configuration names. Throws ERR_TERM_FILE.
 */
export async function loadTerm({ dataDir, site, stream }: TermPlace): Promise<KnownTerm> {
  const path = termPath(dataDir, stream.name)
  try {
    const text = await readFile(path, 'utf8').catch(ignoreMissing)
    if (text === undefined) return { record: firstTerm(stream.origin), fence: false }
    const { record, fence, site: owner } = schema.parse(JSON.parse(text))
    // Of a copied file it is not known: to be careful costs a copy nothing.
    return { record, fence: record.origin !== site && (fence || owner !== site) }
  } catch (cause) {
    throw new LandbridgeError('ERR_TERM_FILE', `${path} is damaged, or cannot be read`, {
      cause: cause instanceof z.ZodError ? new Error(z.prettifyError(cause)) : cause,
      remedy:
        'See that a peer that may take over is connected, then remove the file and restart the ' +
        'gateway: the peer reports the newest term. Without any peer the `origin` of the ' +
        'configuration would count, which may be wrong by now.',
      details: { path },
    })
  }
}

/** On disk when it settles: a term that was forgotten could be decided twice. */
export async function saveTerm(place: TermPlace, known: KnownTerm): Promise<void> {
  const { dataDir, site, stream } = place
  const content: z.output<typeof schema> = { format: 1, stream: stream.name, site, ...known }
  try {
    await mkdir(dataDir, { recursive: true, mode: PRIVATE_FOLDER_MODE })
    const path = termPath(dataDir, stream.name)
    await replaceFile(path, `${JSON.stringify(content, null, 2)}\n`)
  } catch (error) {
    // The name may be in place although the folder was not synced: then it counts after a restart.
    const found = await loadTerm(place).catch(() => null)
    if (found?.record.term !== known.record.term) throw error
  }
}

function termPath(dataDir: string, stream: string): string {
  return join(dataDir, `term-${stream}.json`)
}
