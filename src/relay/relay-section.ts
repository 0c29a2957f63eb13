import type { Secret } from '../base/secret.ts'
import { formatHostPort, type HostPort } from '../config/address.ts'
import * as field from '../config/fields.ts'
import { certFile } from '../config/gateway-template.ts'
import type { StreamSection } from '../config/section.ts'

/** Where and how replicas are fed while this site is a copy. */
export interface RelayConfig {
  readonly listen: HostPort
  readonly user: string
  readonly password: Secret
  readonly certificatePem: string
  readonly privateKeyPem: Secret
  /** Null: a random one, kept in dataDir. */
  readonly serverId: number | null
}

const schema = field.mapping({
  listen: field.hostPort,
  user: field.text('must be the name that replicas log in with'),
  ...field.passwordFields,
  certificate: field.path.optional(),
  privateKey: field.path.optional(),
  serverId: field.serverId.optional(),
})

/** Null: no replica is fed. */
export const relaySection: StreamSection<RelayConfig | null> = {
  async load(raw, { files, identity, problems, where }) {
    if (raw === undefined) return null
    const section = problems.parse(schema, raw, [where])
    if (section === null) return undefined
    const password = await files.password(where, section)
    const { certificate, privateKey } = section
    if ((certificate === undefined) !== (privateKey === undefined)) {
      const [has, lacks] =
        certificate === undefined ? ['privateKey', 'certificate'] : ['certificate', 'privateKey']
      problems.add(`${where}.${lacks}`, `is missing; a ${has} needs it beside it`)
      return undefined
    }
    const certificatePem =
      certificate === undefined
        ? identity?.certificatePem
        : await files.pem(`${where}.certificate`, certificate, 'CERTIFICATE')
    const privateKeyPem =
      privateKey === undefined
        ? identity?.privateKeyPem
        : await files.secretPem(`${where}.privateKey`, privateKey)
    if (password === null || !certificatePem || !privateKeyPem) return undefined
    return {
      listen: section.listen,
      user: section.user,
      password,
      certificatePem,
      privateKeyPem,
      serverId: section.serverId ?? null,
    }
  },

  listeners(value, where) {
    return value === null ? [] : [{ path: `${where}.listen`, at: value.listen }]
  },

  template(gateway) {
    return [
      'relay:                       # the database of this site reads the spool here',
      `  ${listenSetting(gateway.relayListen)}`,
      `  user: ${gateway.relayUser}`,
      `  passwordFile: ${certFile(gateway, 'relay.password')}`,
    ]
  },
}

export function listenSetting(listen: HostPort): string {
  return `listen: "${formatHostPort(listen)}"`
}
