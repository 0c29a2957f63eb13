import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { codeOf } from '../base/errors.ts'
import { PERMISSIONS, type Permission } from '../base/permission.ts'
import { isWireguardKey } from '../base/wireguard-key.ts'
import type { HostPort, SubnetAddress } from './address.ts'
import * as field from './fields.ts'
import { Problems } from './problem.ts'
import { readYaml } from './yaml-file.ts'

/** The public half of a gateway, as its peer file has it at every gateway. */
export interface PeerConfig {
  readonly path: string
  readonly name: string
  readonly site: string
  readonly wireguardPublicKey: string
  readonly endpoints: readonly HostPort[]
  readonly tunnelAddress: SubnetAddress
  readonly linkPort: number
  /** `sha256:` and the hex SHA-256 of the certificate's SubjectPublicKeyInfo DER. */
  readonly certificateFingerprint: string
  /** Whether a term that this gateway reports counts here: who else may decide the origin. */
  readonly mayTakeOver: boolean
  /** What this gateway may ask of another over the link. */
  readonly permission: Permission
}

const KEY_RULE = 'must be a WireGuard public key: 44 characters of base64'
const peerSchema = field.mapping({
  name: field.name,
  site: field.name,
  wireguardPublicKey: z.string({ error: KEY_RULE }).refine(isWireguardKey, { error: KEY_RULE }),
  endpoints: z.array(field.hostPort, { error: 'must be a list of HOST:PORT' }).default([]),
  tunnelAddress: field.subnetAddress,
  linkPort: field.port.default(7400),
  certificateFingerprint: field.fingerprint,
  mayTakeOver: field.flag.default(false),
  permission: field.choice(PERMISSIONS).default('read'),
})

/** Those of `names` whose files can be used; the problems of the others have been added. */
export async function loadPeers(
  folder: string,
  names: readonly string[],
  problems: Problems,
): Promise<PeerConfig[]> {
  const peers = await Promise.all(
    names.map((name, index) => loadPeer(folder, name, problems, `peers[${index}]`)),
  )
  return peers.filter((peer) => peer !== null)
}

/**
 * The public half of the gateway that `setting` names, or null after the problems of its file have
 * been added.
 */
export async function loadPeer(
  folder: string,
  name: string,
  problems: Problems,
  setting = 'name',
): Promise<PeerConfig | null> {
  const path = join(folder, `${name}.yaml`)
  const known = await namesIn(folder)
  if (known !== null && !known.includes(name)) {
    const others = known.length === 0 ? 'none' : known.join(', ')
    problems.add(
      setting,
      `"${name}" has no peer file ${path} (there are: ${others}); correct it, or bring the file`,
      name,
    )
    return null
  }
  const own = new Problems(path)
  const raw = await readYaml(path, own)
  const peer = raw === undefined ? null : own.parse(peerSchema, raw, [])
  if (peer !== null && peer.name !== name) {
    own.add(
      'name',
      `${JSON.stringify(peer.name)} must be the name of the file, "${name}"`,
      peer.name,
    )
  }
  problems.include(own)
  return peer === null ? null : { path, ...peer }
}

/** Null for a folder that cannot be read: what is wrong is said of the file in it. */
async function namesIn(folder: string): Promise<string[] | null> {
  try {
    const files = await readdir(folder)
    return files.flatMap((file) => /^(.+)\.yaml$/.exec(file)?.[1] ?? []).sort()
  } catch (error) {
    return codeOf(error) === 'ENOENT' ? [] : null
  }
}
