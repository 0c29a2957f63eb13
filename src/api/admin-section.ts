import * as field from '../config/fields.ts'
import type { ConfigSection } from '../config/section.ts'

export interface AdminConfig {
  readonly socketPath: string
}

const schema = field.mapping({ socket: field.path })

export const adminSection: ConfigSection<AdminConfig> = {
  load(raw, { files, problems }) {
    const section = problems.parse(schema, raw ?? {}, ['admin'])
    return section === null ? undefined : { socketPath: files.resolve(section.socket) }
  },

  template({ name }) {
    return ['admin:', `  socket: /run/landbridge/${name}.sock`]
  },
}
