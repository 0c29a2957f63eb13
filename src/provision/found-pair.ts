import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ignoreMissing } from '../base/atomic-file.ts'
import { LandbridgeError } from '../base/errors.ts'
import type { Site } from '../config/config.ts'
import { loadPeer } from '../config/peer-file.ts'
import { Problems } from '../config/problem.ts'
import { gatewayFileFacts } from './gateway-file-facts.ts'

/**
 * The pair whose files are in a folder, as `--pair` takes it; null for a folder without one. Of a
 * gateway's own folder the other name is in its configuration. Throws ERR_USAGE where the files
 * are of several pairs, or do not tell.
 */
export async function foundPair(directory: string): Promise<string | null> {
  const names: Record<Site, Set<string>> = { production: new Set(), dr: new Set() }
  for (const name of await yamlNames(join(directory, 'peers'))) {
    const peer = await loadPeer(join(directory, 'peers'), name, new Problems())
    if (peer === null) continue
    names[peer.site].add(name)
    const other = await peerOf(directory, name)
    if (other !== null) names[peer.site === 'dr' ? 'production' : 'dr'].add(other)
  }
  const [production, ...productions] = names.production
  const [dr, ...drs] = names.dr
  if (production === undefined && dr === undefined) return null
  if (production !== undefined && dr !== undefined && productions.length + drs.length === 0) {
    return `${production},${dr}`
  }
  const all = [...names.production, ...names.dr].join(', ')
  throw new LandbridgeError('ERR_USAGE', `which two gateways is not clear: peers/ has ${all}`, {
    remedy: 'name them: --pair PRODUCTION,DR',
  })
}

async function peerOf(directory: string, name: string): Promise<string | null> {
  const path = join(directory, 'gateway', `${name}.yaml`)
  const text = await readFile(path, 'utf8').catch(ignoreMissing)
  return text === undefined ? null : gatewayFileFacts(text).peer
}

async function yamlNames(folder: string): Promise<string[]> {
  const files = (await readdir(folder).catch(ignoreMissing)) ?? []
  return files.filter((file) => file.endsWith('.yaml')).map((file) => file.slice(0, -5))
}
