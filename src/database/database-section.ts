import type { Flavor } from '../base/flavor.ts'
import type { Secret } from '../base/secret.ts'
import { formatHostPort } from '../config/address.ts'
import * as field from '../config/fields.ts'
import { certFile, type GatewayTemplate } from '../config/gateway-template.ts'
import type { StreamSection } from '../config/section.ts'
import { type DatabaseTlsConfig, databaseTlsSchema, loadDatabaseTls } from './database-tls.ts'

export interface DatabaseConfig {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: Secret
  readonly tls: DatabaseTlsConfig
}

export interface SiteDatabaseConfig extends DatabaseConfig {
  /** With which we read it. Null: a random one, kept in dataDir. */
  readonly serverId: number | null
  readonly flavor: Flavor | 'auto'
}

const schema = field.mapping({
  host: field.host,
  port: field.port.default(3306),
  user: field.text('must be the name of a database user'),
  ...field.passwordFields,
  tls: databaseTlsSchema.prefault({}),
  serverId: field.serverId.optional(),
  flavor: field.choice(['auto', 'mysql', 'mariadb']).default('auto'),
})

/** Of this site: read while it is the origin, asked while it is a copy. Null: none is known. */
export const databaseSection: StreamSection<SiteDatabaseConfig | null> = {
  async load(raw, { files, problems, site, stream, where }) {
    if (raw === undefined) {
      if (stream.origin !== site) return null
      problems.add(where, `is missing; ${stream.name} has its origin at this site, ${site}`)
      return undefined
    }
    const section = problems.parse(schema, raw, [where])
    if (section === null) return undefined
    const password = await files.password(where, section)
    const { host, port, user, flavor } = section
    const tls = await loadDatabaseTls(section.tls, `${where}.tls`, { host, files, problems })
    if (password === null || tls === null) return undefined
    return { host, port, user, password, tls, serverId: section.serverId ?? null, flavor }
  },

  /** Each peer is read for with its own server_id: the one that is set, and those behind it. */
  check(all, { peerNames: { length: count }, problems }) {
    const taken: { readonly server: string; readonly from: number; readonly place: string }[] = []
    for (const { place, where, value } of all) {
      if (value === null || value.serverId === null) continue
      const setting = `${where}.serverId`
      const { serverId: from } = value
      const shown = `${from} to ${from + count - 1}, one for each peer`
      if (from + count - 1 > field.SERVER_ID_MAX) {
        const message = `${shown}, goes beyond ${field.SERVER_ID_MAX}; choose a smaller one`
        problems.add(setting, message, from)
      }
      const server = formatHostPort(value)
      const other = taken.find((one) => one.server === server && Math.abs(one.from - from) < count)
      if (other === undefined) taken.push({ server, from, place })
      else {
        const message = `${shown}, overlaps with ${other.place} at ${server}; choose another`
        problems.add(setting, message, from)
      }
    }
  },

  template(gateway) {
    const { name, origin, database, databaseUser, hasDatabaseCa } = gateway
    const isOrigin = name === origin
    const { host, port } = database ?? EXAMPLE_DATABASE[isOrigin ? 'origin' : 'copy']
    const tls = hasDatabaseCa
      ? `tls: { ${caSetting(gateway)} }    # who signed its certificate`
      : 'tls: { mode: verify-identity }    # or ca, or fingerprint: gateway/README.md'
    const lines = [
      'database:                    # of this site: read at the origin, fed at a copy',
      `  host: ${host}`,
      `  port: ${port}`,
      `  user: ${databaseUser}`,
      `  passwordFile: ${certFile(gateway, 'database.password')}    # or passwordEnv: NAME`,
      `  ${tls}`,
      '  flavor: auto               # auto | mysql | mariadb',
    ]
    return isOrigin || database !== null ? lines : lines.map((line) => `# ${line}`)
  },
}

/** In the files where nobody named a database. */
export const EXAMPLE_DATABASE = {
  origin: { host: '198.51.100.10', port: 3306 },
  copy: { host: '203.0.113.10', port: 3306 },
} as const

/** What `--database-ca` adds: who signed the certificate of the database. */
export function caSetting(gateway: Pick<GatewayTemplate, 'name' | 'credentials'>): string {
  return `ca: ${certFile(gateway, 'database-ca.crt')}`
}
