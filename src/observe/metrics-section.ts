import { isLoopback } from '../base/loopback.ts'
import type { HostPort } from '../config/address.ts'
import * as field from '../config/fields.ts'
import type { ConfigSection } from '../config/section.ts'

export interface MetricsConfig {
  readonly listen: HostPort
}

const schema = field.mapping({
  listen: field.hostPort.refine(({ host }) => isLoopback(host), {
    error: 'must be on loopback, such as 127.0.0.1:9400: what is served there asks for no login',
  }),
})

/** Null: metrics are served on the admin socket only. */
export const metricsSection: ConfigSection<MetricsConfig | null> = {
  load(raw, { problems }) {
    if (raw === undefined) return null
    return problems.parse(schema, raw, ['metrics']) ?? undefined
  },

  listeners(value) {
    return value === null ? [] : [{ path: 'metrics.listen', at: value.listen }]
  },

  template() {
    return [
      '# metrics:                       # Prometheus; loopback only',
      '#   listen: 127.0.0.1:9400',
    ]
  },
}
