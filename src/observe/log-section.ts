import * as field from '../config/fields.ts'
import type { ConfigSection } from '../config/section.ts'

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

export interface LogConfig {
  readonly level: LogLevel
}

const schema = field.mapping({ level: field.choice(LOG_LEVELS) })

export const logSection: ConfigSection<LogConfig> = {
  load(raw, { problems }) {
    return problems.parse(schema, raw ?? { level: 'info' }, ['log']) ?? undefined
  },

  template() {
    return ['log:', '  level: info                    # debug | info | warn | error']
  },
}
