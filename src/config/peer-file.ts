import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { codeOf } from '../base/errors.ts'
import type { PeerConfig } from './config.ts'
import { Problems } from './problem.ts'
import { peerSchema } from './schema.ts'
import { readYaml } from './yaml-file.ts'

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
