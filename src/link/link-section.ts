import * as field from '../config/fields.ts'
import { parseBytes } from '../config/quantity.ts'
import type { ConfigSection } from '../config/section.ts'

export interface LinkConfig {
  readonly windowBytes: number
  readonly compression: 'auto' | 'zstd' | 'none'
  readonly pingMs: number
}

/** The link sends frames of at most 1 MiB; below two of them it would stop and go. */
const WINDOW_BYTES_MIN = 2 * 2 ** 20
const WINDOW_BYTES_MAX = 2 ** 30

const WINDOW_RULE = 'must be a size from 2MiB (two frames of 1 MiB) to 1GiB'
const schema = field.mapping({
  windowBytes: field
    .converted((raw) => {
      const value = parseBytes(raw)
      return value !== null && value >= WINDOW_BYTES_MIN && value <= WINDOW_BYTES_MAX ? value : null
    }, WINDOW_RULE)
    .default(16 * 2 ** 20),
  compression: field.choice(['auto', 'zstd', 'none']).default('auto'),
  pingSeconds: field.integer(1, 60).default(1),
})

export const linkSection: ConfigSection<LinkConfig> = {
  load(raw, { problems }) {
    const section = problems.parse(schema, raw ?? {}, ['link'])
    if (section === null) return undefined
    const { windowBytes, compression, pingSeconds } = section
    return { windowBytes, compression, pingMs: pingSeconds * 1000 }
  },

  /** Where it listens is for the other gateways to know: their copies of the peer file say it. */
  listeners(_value, { self }) {
    if (self === null) return []
    const { path, tunnelAddress, linkPort } = self
    return [{ path: `${path} linkPort`, at: { host: tunnelAddress.address, port: linkPort } }]
  },

  template() {
    return [
      'link:                            # every gateway listens; whoever receives dials',
      '  windowBytes: 16MiB             # what may be on its way and not yet safe on disk',
      '  compression: auto              # auto | zstd | none',
      '  pingSeconds: 1',
    ]
  },
}
