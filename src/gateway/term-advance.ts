import { z } from 'zod'
import { LandbridgeError } from '../base/errors.ts'
import { defineOperation, type Operation } from '../base/operation.ts'
import { termRecordSchema } from '../status/term-record.ts'
import type { Stream } from './stream.ts'
import { findStream } from './stream-choice.ts'

export interface TermAdvanceOptions {
  readonly site: string
  /** This gateway's and those of its peers. */
  readonly sites: readonly string[]
  readonly streams: readonly Stream[]
  /** Why others may not hear of it, or not believe it. */
  readonly warnings: () => string[]
}

/**
 * Decides the origin of a stream anew. It moves no database: whoever asks has promoted the one
 * there, and made sure that nobody writes to the other.
 */
export function termAdvance(options: TermAdvanceOptions): Operation {
  const { site, sites, streams, warnings } = options
  return defineOperation({
    name: 'term.advance',
    summary: 'decide the origin of a stream anew; promotes no database by itself',
    permission: 'recover',
    input: z.strictObject({
      stream: z.string().max(63).describe('Name of the stream'),
      origin: z.string().max(63).default(site).describe('Site that is the origin from now on'),
      reason: z.string().min(1).max(500).describe('Why, for those who read the journal'),
    }),
    output: z.strictObject({
      changed: z.boolean().describe('False: that site is the origin already'),
      term: termRecordSchema,
      warnings: z.array(z.string()).describe('Why others may not follow'),
    }),
    async run({ stream: name, origin, reason }) {
      const stream = findStream(streams, name)
      if (!sites.includes(origin)) throw unknownSite(origin, sites)
      const decided = await stream.advance(origin, reason)
      return { changed: decided !== null, term: stream.term, warnings: warnings() }
    },
  })
}

function unknownSite(origin: string, sites: readonly string[]): LandbridgeError {
  return new LandbridgeError('ERR_USAGE', `${origin} is no site that this gateway knows`, {
    remedy: `It knows: ${sites.join(', ')}.`,
  })
}
