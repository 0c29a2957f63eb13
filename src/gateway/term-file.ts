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
  record: termRecordSchema,
  /** The origin of the term before, as far as this gateway knew it. */
  before: z.string().max(63),
  /** Whether this site still has to fence its database, as the origin of an older term. */
  fence: z.boolean(),
})

export interface KnownTerm {
  readonly record: TermRecord
  /** Whether this site still has to fence its database, as the origin of an older term. */
  readonly fence: boolean
  readonly before: string
}

/**
 * The newest term of a stream that this gateway knows: `term-STREAM.json` in the data directory, or
 * the first one, whose origin the configuration names. Throws ERR_TERM_FILE.
 */
export async function loadTerm(
  dataDir: string,
  stream: { readonly name: string; readonly origin: string },
): Promise<KnownTerm> {
  const path = termPath(dataDir, stream.name)
  const text = await readFile(path, 'utf8').catch(ignoreMissing)
  if (text === undefined) {
    return { record: firstTerm(stream.origin), fence: false, before: stream.origin }
  }
  try {
    const { record, fence, before } = schema.parse(JSON.parse(text))
    return { record, fence, before }
  } catch (cause) {
    throw new LandbridgeError('ERR_TERM_FILE', `${path} is damaged`, {
      cause,
      remedy:
        `Copy term-${stream.name}.json from the data directory of another gateway. Without any, ` +
        'remove it: the origin of the configuration counts until another gateway knows better.',
      details: { path },
    })
  }
}

/** On disk when it settles: a term that was forgotten could be decided twice. */
export async function saveTerm(dataDir: string, stream: string, known: KnownTerm): Promise<void> {
  await mkdir(dataDir, { recursive: true, mode: PRIVATE_FOLDER_MODE })
  const content = { format: 1, stream, ...known } satisfies z.output<typeof schema>
  await replaceFile(termPath(dataDir, stream), `${JSON.stringify(content, null, 2)}\n`)
}

function termPath(dataDir: string, stream: string): string {
  return join(dataDir, `term-${stream}.json`)
}
