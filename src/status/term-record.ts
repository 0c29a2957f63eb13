import { z } from 'zod'

/** Far beyond what decisions of people can reach, and far below where numbers lose their digits. */
export const TERM_MAX = 1_000_000_000
/** The last day that a Date knows. */
const DATE_MS_MAX = 8.64e15

/**
 * Which site is the origin of a stream. Terms only grow; the highest wins. The first one comes from
 * the configuration (`origin`), later ones from an operation of recovery.
 */
export const termRecordSchema = z.object({
  term: z.number().int().positive().max(TERM_MAX),
  /** Name of the site. */
  origin: z.string().min(1).max(63),
  /** When it was decided, by the clock of the gateway that did; null for the first term. */
  sinceMs: z.number().nonnegative().max(DATE_MS_MAX).nullable(),
  /** Name of the gateway where it was decided; null for the first term. */
  by: z.string().max(63).nullable(),
  reason: z.string().max(500).nullable(),
})

export type TermRecord = Readonly<z.output<typeof termRecordSchema>>

export function firstTerm(origin: string): TermRecord {
  return { term: 1, origin, sinceMs: null, by: null, reason: null }
}
