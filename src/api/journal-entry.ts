import { createHash } from 'node:crypto'
import { z } from 'zod'

/**
 * What a line says of a run of an operation. `interrupted`: the gateway ended meanwhile. `gap` is
 * of no run: lines before it could not be written, or were not as they had been.
 */
export const PHASES = ['begun', 'step', 'done', 'failed', 'interrupted', 'gap'] as const

export const journalEntry = z.strictObject({
  sequence: z.int().positive(),
  atMs: z.number(),
  /** The same in all lines of one run of an operation. Null for a `gap`. */
  run: z.string().nullable(),
  operation: z.string(),
  /** Who asked: `socket`, or a peer's name. */
  caller: z.string(),
  phase: z.enum(PHASES),
  /** The input of what begins, the step, the error; without secrets. */
  detail: z.unknown(),
  /** Hash of the line before; of the first line all zeros. */
  previous: z.string().length(64),
  hash: z.string().length(64),
})

export type JournalEntry = z.output<typeof journalEntry>
export type JournalFacts = Omit<JournalEntry, 'previous' | 'hash'>

export const FIRST_PREVIOUS = '0'.repeat(64)

/** SHA-256 of the line as JSON without its own hash, the hash of the line before included. */
function hashOf(entry: Omit<JournalEntry, 'hash'>): string {
  return createHash('sha256').update(JSON.stringify(entry)).digest('hex')
}

export function sealEntry(facts: JournalFacts, previous: string): JournalEntry {
  const { sequence, atMs, run, operation, caller, phase, detail } = facts
  const entry = { sequence, atMs, run, operation, caller, phase, detail: detail ?? null, previous }
  return { ...entry, hash: hashOf(entry) }
}

/** Null for a line that is none, or that was changed. */
export function parseEntry(line: string): JournalEntry | null {
  let parsed: unknown
  try {
    parsed = JSON.parse(line)
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
  const { data } = journalEntry.safeParse(parsed)
  if (data === undefined) return null
  const sealed = sealEntry(data, data.previous)
  return sealed.hash === data.hash ? sealed : null
}

/**
 * Whether `entry` can stand behind `before`; null: it is the first of a file, and what was before
 * it is not there. A file that is begun after damage begins with a `gap`.
 */
export function follows(before: JournalEntry | null, entry: JournalEntry): boolean {
  if (before === null) return true
  return entry.previous === before.hash && entry.sequence === before.sequence + 1
}
