import type { Secret } from '../base/secret.ts'
import { isWireguardKey } from '../base/wireguard-key.ts'
import * as field from '../config/fields.ts'
import { certFile, type GatewayTemplate } from '../config/gateway-template.ts'
import type { ConfigSection } from '../config/section.ts'

/** What proves that this gateway is who it says it is. */
export interface IdentityConfig {
  /** Base64, as `wg genkey` prints it. */
  readonly wireguardPrivateKey: Secret
  readonly certificatePem: string
  readonly privateKeyPem: Secret
  readonly authorityPem: string
  readonly paths: {
    readonly wireguardKey: string
    readonly certificate: string
    readonly privateKey: string
    readonly authority: string
  }
}

const schema = field.mapping({
  wireguardKey: field.path,
  certificate: field.path,
  privateKey: field.path,
  authority: field.path,
})

const PATH_WORDS = 'a path may also be credential:NAME (systemd LoadCredential=)'

export const identitySection: ConfigSection<IdentityConfig> = {
  async load(raw, { files, problems }) {
    const section = problems.parse(schema, raw ?? {}, ['identity'])
    // Also with a mistake in the section, the files that are named are looked at.
    const named = (section ?? (typeof raw === 'object' ? raw : null) ?? {}) as NamedFiles
    const given = async <Value>(
      setting: keyof IdentityConfig['paths'],
      read: (where: string, path: string) => Promise<Value | null>,
    ): Promise<Value | null> => {
      const path = named[setting]
      return typeof path === 'string' && path !== '' ? read(`identity.${setting}`, path) : null
    }
    const pem = (where: string, path: string) => files.pem(where, path, 'CERTIFICATE')
    const key = await given('wireguardKey', (where, path) => files.secret(where, path))
    const certificate = await given('certificate', pem)
    const privateKey = await given('privateKey', (where, path) => files.secretPem(where, path))
    const authority = await given('authority', pem)
    if (key !== null && !isWireguardKey(key.reveal().trim())) {
      problems.add(
        'identity.wireguardKey',
        'the file does not hold a WireGuard key; make one with `landbridge init` or `wg genkey`',
      )
      return undefined
    }
    if (section === null || key === null || certificate === null) return undefined
    if (privateKey === null || authority === null) return undefined
    return {
      wireguardPrivateKey: key,
      certificatePem: certificate,
      privateKeyPem: privateKey,
      authorityPem: authority,
      paths: {
        wireguardKey: files.resolve(section.wireguardKey),
        certificate: files.resolve(section.certificate),
        privateKey: files.resolve(section.privateKey),
        authority: files.resolve(section.authority),
      },
    }
  },

  template(gateway) {
    const files = Object.entries(identityFiles(gateway))
    return [
      `identity:                        # ${PATH_WORDS}`,
      ...files.map(([setting, path]) => `  ${setting}: ${path}`),
    ]
  },
}

/** As a gateway file names the files that `init` makes. */
export function identityFiles(
  gateway: Pick<GatewayTemplate, 'name' | 'credentials'>,
): IdentityConfig['paths'] {
  return {
    wireguardKey: certFile(gateway, 'wireguard.key'),
    certificate: certFile(gateway, 'gateway.crt'),
    privateKey: certFile(gateway, 'gateway.key'),
    authority: '../certs/ca.crt',
  }
}

type NamedFiles = Readonly<Partial<Record<keyof IdentityConfig['paths'], unknown>>>
