import { z } from 'zod'
import { ignoreMissing, replaceFile } from '../base/atomic-file.ts'
import type { Disk } from '../base/disk.ts'

/** What is remembered of one replica that was ever served. */
export interface ReplicaEntry {
  /** From this file on it needs what is stored; null: nothing is kept for it any more. */
  readonly ordinal: number | null
  /** Of the file that it was last served; 0: saved before that was noted. */
  readonly epoch: number
  /** Wall clock when that was last confirmed. */
  readonly atMs: number
  /** Settings at the replica by which it left out data that it was served. */
  readonly leftOut?: LeftOut | undefined
}

export interface LeftOut {
  readonly settings: string
  /** Wall clock when that was first seen. */
  readonly sinceMs: number
}

/** The content of `replicas.json`. */
export interface SavedReplicas {
  readonly savedAtMs: number
  /**
   * Some replicas that were last served from this epoch, or a newer one, are not in here; null:
   * all are.
   */
  readonly forgotten: number | null
  readonly replicas: ReadonlyMap<string, ReplicaEntry>
}

export interface ReplicaFileOptions {
  readonly path: string
  readonly disk: Disk
}

/** Older versions forgot replicas: which, and of which epoch, nobody knows. */
const FORGOTTEN_BY_OLDER = 0
/** Far beyond the longest that is ever written. */
const BYTES_MAX = 4 * 1024 * 1024

const count = z.number().int().nonnegative()
const schema = z.object({
  format: z.literal(3),
  savedAtMs: count,
  forgotten: count.nullable(),
  replicas: z.record(
    z.string(),
    z.object({
      ordinal: count.nullable(),
      epoch: count,
      atMs: count,
      leftOut: z.object({ settings: z.string(), sinceMs: count }).optional(),
    }),
  ),
})
/** Before replicas were remembered that nothing is kept for. */
const schema2 = z.object({
  format: z.literal(2),
  savedAtMs: count,
  needed: z.record(z.string(), z.object({ ordinal: count, atMs: count, epoch: count.default(0) })),
})
/** Before pins had an age. */
const schema1 = z.object({ format: z.literal(1), needed: z.record(z.string(), count) })

/** Where a file that cannot be read is kept for a person to look at. */
export function damagedPath(path: string): string {
  return `${path}.damaged`
}

/** Null when there is none. `damaged` when it is there and cannot be understood. */
export async function readReplicas(
  { path, disk }: ReplicaFileOptions,
  nowMs: number,
): Promise<SavedReplicas | 'damaged' | null> {
  try {
    if ((await disk.stat(path)).size > BYTES_MAX) return 'damaged'
    const text = await disk.readText(path)
    return upToDate(z.union([schema, schema2, schema1]).parse(JSON.parse(text)), nowMs)
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof z.ZodError) return 'damaged'
    ignoreMissing(error)
    return null
  }
}

type AnyFormat = z.output<typeof schema> | z.output<typeof schema2> | z.output<typeof schema1>

function upToDate(saved: AnyFormat, nowMs: number): SavedReplicas {
  if (saved.format === 3) return { ...saved, replicas: new Map(Object.entries(saved.replicas)) }
  if (saved.format === 2) {
    const replicas = new Map(Object.entries(saved.needed))
    return { savedAtMs: saved.savedAtMs, forgotten: FORGOTTEN_BY_OLDER, replicas }
  }
  const needed = Object.entries(saved.needed)
  const replicas = needed.map(([id, ordinal]) => [id, { ordinal, epoch: 0, atMs: nowMs }] as const)
  return { savedAtMs: nowMs, forgotten: FORGOTTEN_BY_OLDER, replicas: new Map(replicas) }
}

export async function writeReplicas(
  { path, disk }: ReplicaFileOptions,
  { replicas, ...saved }: SavedReplicas,
): Promise<void> {
  const content = { format: 3, ...saved, replicas: Object.fromEntries(replicas) }
  await replaceFile(path, `${JSON.stringify(content)}\n`, { disk })
}
