import { z } from 'zod'
import { ignoreMissing, replaceFile } from '../base/atomic-file.ts'
import type { Disk } from '../base/disk.ts'
import type { ClaimName } from '../binlog/log.ts'
import type { ClaimEntry } from './claims.ts'
import { type LeftOut, replicaClaim } from './served-replicas.ts'

export interface SavedClaim extends ClaimEntry {
  /** Of a replica only. */
  readonly leftOut?: LeftOut | undefined
}

/** The content of `replicas.json`. */
export interface SavedClaims {
  readonly savedAtMs: number
  /** As in ServedReplicas. */
  readonly forgotten: number | null
  readonly claims: ReadonlyMap<ClaimName, SavedClaim>
}

export interface ClaimFileOptions {
  readonly path: string
  readonly disk: Disk
}

/** Older versions forgot replicas: which, and of which epoch, nobody knows. */
const FORGOTTEN_BY_OLDER = 0
/** Far beyond the longest that is ever written. */
const BYTES_MAX = 4 * 1024 * 1024

const count = z.number().int().nonnegative()
const entry = z.object({
  ordinal: count.nullable(),
  epoch: count,
  atMs: count,
  leftOut: z.object({ settings: z.string(), sinceMs: count }).optional(),
})
const claimName = z.templateLiteral([
  z.enum(['replica', 'reader', 'backup', 'follower']),
  ':',
  z.string(),
])
const schema = z.object({
  format: z.literal(4),
  savedAtMs: count,
  forgotten: count.nullable(),
  claims: z.record(claimName, entry),
})
/** Before others than replicas had claims. */
const schema3 = z.object({
  format: z.literal(3),
  savedAtMs: count,
  forgotten: count.nullable(),
  replicas: z.record(z.string(), entry),
})
/** Before replicas were remembered that nothing is kept for. */
const schema2 = z.object({
  format: z.literal(2),
  savedAtMs: count,
  needed: z.record(z.string(), z.object({ ordinal: count, atMs: count, epoch: count.default(0) })),
})
/** Before claims had an age. */
const schema1 = z.object({ format: z.literal(1), needed: z.record(z.string(), count) })
const anyFormat = z.union([schema, schema3, schema2, schema1])

/** Where a file that cannot be read is kept for a person to look at. */
export function damagedPath(path: string): string {
  return `${path}.damaged`
}

/** Null when there is none. `damaged` when it is there and cannot be understood. */
export async function readClaims(
  { path, disk }: ClaimFileOptions,
  nowMs: number,
): Promise<SavedClaims | 'damaged' | null> {
  try {
    if ((await disk.stat(path)).size > BYTES_MAX) return 'damaged'
    return upToDate(anyFormat.parse(JSON.parse(await disk.readText(path))), nowMs)
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof z.ZodError) return 'damaged'
    ignoreMissing(error)
    return null
  }
}

function upToDate(saved: z.output<typeof anyFormat>, nowMs: number): SavedClaims {
  if (saved.format === 4) {
    const { savedAtMs, forgotten } = saved
    const claims = new Map(Object.entries(saved.claims) as [ClaimName, SavedClaim][])
    return { savedAtMs, forgotten, claims }
  }
  if (saved.format === 3) {
    const { savedAtMs, forgotten } = saved
    return { savedAtMs, forgotten, claims: ofReplicas(saved.replicas) }
  }
  const forgotten = FORGOTTEN_BY_OLDER
  if (saved.format === 2) {
    return { savedAtMs: saved.savedAtMs, forgotten, claims: ofReplicas(saved.needed) }
  }
  const needed = Object.entries(saved.needed).map(([id, ordinal]) => {
    return [id, { ordinal, epoch: 0, atMs: nowMs }] as const
  })
  return { savedAtMs: nowMs, forgotten, claims: ofReplicas(Object.fromEntries(needed)) }
}

/** What served readers of files was saved by older versions as well. */
const OLD_READER = /^connection:/

function ofReplicas(entries: Readonly<Record<string, SavedClaim>>): Map<ClaimName, SavedClaim> {
  const replicas = Object.entries(entries).filter(([id]) => !OLD_READER.test(id))
  return new Map(replicas.map(([id, saved]) => [replicaClaim(id), saved]))
}

export async function writeClaims(
  { path, disk }: ClaimFileOptions,
  { claims, ...saved }: SavedClaims,
): Promise<void> {
  const content = { format: 4, ...saved, claims: Object.fromEntries(claims) }
  await replaceFile(path, `${JSON.stringify(content)}\n`, { disk })
}
