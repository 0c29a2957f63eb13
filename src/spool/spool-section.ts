import { join, resolve } from 'node:path'
import * as field from '../config/fields.ts'
import type { StreamSection } from '../config/section.ts'

/** Of a stream, for the times when this site is a copy. */
export interface SpoolConfig {
  readonly directory: string
  readonly retention: {
    readonly ageMs: number | null
    readonly sizeBytes: number | null
    /** True: the limits win even over a replica that still needs the files. */
    readonly hardLimit: boolean
    /** For how long files are kept for a replica that nothing is heard of. */
    readonly replicaAgeMs: number
    /** How long files of before a reset of the source stay after it, whatever the limits say. */
    readonly minimumHoldMs: number
  }
}

/** With less a spool would keep nothing that nobody needs just now: 0 is a mistake, not a wish. */
const RETENTION_BYTES_MIN = 1024
/** Who is away for longer is reseeded anyway. */
const REPLICA_AGE_MS = 7 * 86_400_000
/** Time to notice that a reset of the source was an intruder's, and to copy what is of before. */
const MINIMUM_HOLD_MS = 7 * 86_400_000

const schema = field.mapping({
  directory: field.folder.optional(),
  retention: field
    .mapping({
      age: field.durationMs
        .refine((value) => value >= 60_000, { error: 'must be at least 1m' })
        .optional(),
      size: field.bytes
        .refine((value) => value >= RETENTION_BYTES_MIN, {
          error: 'must be at least 1KiB; what a replica needs is kept all the same',
        })
        .optional(),
      hardLimit: field.flag.default(false),
      replicaAge: field.durationMs.default(REPLICA_AGE_MS),
      minimumHold: field.durationMs.default(MINIMUM_HOLD_MS),
    })
    .prefault({}),
})

const HOLD_WORDS =
  'minimumHold: what was held before a reset of the source stays so long, beyond the limits'

export const spoolSection: StreamSection<SpoolConfig> = {
  load(raw, { dataDir, stream, problems, where }) {
    const section = problems.parse(schema, raw ?? {}, [where])
    if (section === null) return undefined
    const { age, size, hardLimit, replicaAge, minimumHold } = section.retention
    return {
      directory: resolve(dataDir ?? '', section.directory ?? join('spool', stream.name)),
      retention: {
        ageMs: age ?? null,
        sizeBytes: size ?? null,
        hardLimit,
        replicaAgeMs: replicaAge,
        minimumHoldMs: minimumHold,
      },
    }
  },

  check(all, { problems }) {
    const owners = new Map<string, string>()
    for (const { stream, where, value } of all) {
      const { directory } = value
      const other = owners.get(directory)
      if (other === undefined) owners.set(directory, stream)
      else if (other !== stream) {
        problems.add(
          `${where}.directory`,
          `${directory} is the spool of stream "${other}" too; each stream needs its own`,
          directory,
        )
      }
    }
  },

  template() {
    return [
      '# The rest is for the times when this site is a copy:',
      'spool:',
      '  directory: spool/main      # relative to dataDir',
      `  # ${HOLD_WORDS}`,
      '  retention: { age: 7d, size: 100GiB, hardLimit: false, minimumHold: 7d }',
    ]
  },
}
