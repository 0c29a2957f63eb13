import { join } from 'node:path'
import type { PeerConfig } from './config.ts'
import { Problems } from './problem.ts'
import { peerSchema } from './schema.ts'
import { readYaml } from './yaml-file.ts'

/** The public half of gateway `name`, or null after the problems of its file have been added. */
export async function loadPeer(
  folder: string,
  name: string,
  problems: Problems,
): Promise<PeerConfig | null> {
  const path = join(folder, `${name}.yaml`)
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
