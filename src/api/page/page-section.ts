import { isLoopback } from '../../base/loopback.ts'
import type { HostPort } from '../../config/address.ts'
import * as field from '../../config/fields.ts'
import type { ConfigSection } from '../../config/section.ts'

export interface PageConfig {
  readonly listen: HostPort
  /** Certificates (PEM) of those who may look. Null: on loopback, whoever is on this machine. */
  readonly viewersPem: string | null
}

const schema = field.mapping({ listen: field.hostPort, viewers: field.path.optional() })

/** Null: no page is served. */
export const pageSection: ConfigSection<PageConfig | null> = {
  async load(raw, { files, problems }) {
    if (raw === undefined) return null
    const section = problems.parse(schema, raw, ['page'])
    if (section === null) return undefined
    const { listen, viewers } = section
    if (viewers === undefined) {
      if (isLoopback(listen.host)) return { listen, viewersPem: null }
      const message =
        'must be on loopback, such as 127.0.0.1:7480, or `viewers` must name the certificates of ' +
        'those who may look'
      problems.add('page.listen', message, `${listen.host}:${listen.port}`)
      return undefined
    }
    const viewersPem = await files.pem('page.viewers', viewers, 'CERTIFICATE')
    return viewersPem === null ? undefined : { listen, viewersPem }
  },

  listeners(value) {
    return value === null ? [] : [{ path: 'page.listen', at: value.listen }]
  },

  template() {
    return [
      '# page:                          # the web page; from afar: ssh -L 7480:127.0.0.1:7480',
      '#   listen: 127.0.0.1:7480       # elsewhere only with `viewers`: gateway/README.md',
    ]
  },
}
