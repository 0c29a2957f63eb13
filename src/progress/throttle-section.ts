import * as field from '../config/fields.ts'
import type { StreamSection } from '../config/section.ts'

/** Of what is sent while this site is the origin. */
export interface ThrottleConfig {
  /** Null: as fast as it goes. */
  readonly bytesPerSecond: number | null
}

const schema = field.mapping({
  bytesPerSecond: field.bytes.refine((value) => value >= 1024, { error: 'must be at least 1KiB' }),
})

export const throttleSection: StreamSection<ThrottleConfig> = {
  load(raw, { problems, where }) {
    if (raw === undefined) return { bytesPerSecond: null }
    return problems.parse(schema, raw, [where]) ?? undefined
  },

  template() {
    return [
      '# throttle: { bytesPerSecond: 50MiB }    # of what is sent while this site is the origin',
    ]
  },
}
