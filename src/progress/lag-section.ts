import * as field from '../config/fields.ts'
import type { StreamSection } from '../config/section.ts'

/** Of a stream, for the times when this site is a copy. */
export interface LagConfig {
  /** Exposure and apply lag above it are reported as a problem. Null: nothing was promised. */
  readonly objectiveMs: number | null
}

const schema = field.mapping({
  objective: field.durationMs
    .refine((value) => value >= 2_000, {
      error: 'must be at least 2s: a source is asked each second',
    })
    .optional(),
})

export const lagSection: StreamSection<LagConfig> = {
  load(raw, { problems, where }) {
    const section = problems.parse(schema, raw ?? {}, [where])
    return section === null ? undefined : { objectiveMs: section.objective ?? null }
  },

  template() {
    return ['# lag: { objective: 5s }    # more exposure or apply lag than that is a problem']
  },
}
