import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ignoreMissing } from '../base/atomic-file.ts'
import { loadPeer } from '../config/peer-file.ts'
import { Problems } from '../config/problem.ts'
import { type GatewayFileFacts, gatewayFileFacts } from './gateway-file-facts.ts'

export interface FoundSites {
  /** The origin first, the others by name. */
  readonly names: readonly string[]
  /** Null where no gateway file says it. */
  readonly origin: string | null
  /** Those whose peer file does not let them take over. */
  readonly withoutTakeOver: readonly string[]
}

/**
 * The sites whose files are in a folder: of a peer file each, and those that a gateway file names
 * though their peer file is still to come. Null for a folder without any.
 */
export async function foundSites(directory: string): Promise<FoundSites | null> {
  const folder = join(directory, 'peers')
  const names = new Set(await yamlNames(folder))
  if (names.size === 0) return null
  const withoutTakeOver: string[] = []
  let origin: string | null = null
  for (const name of [...names]) {
    const peer = await loadPeer(folder, name, new Problems())
    if (peer?.mayTakeOver === false) withoutTakeOver.push(name)
    const facts = await readGatewayFile(directory, name)
    for (const peer of facts?.peers ?? []) names.add(peer)
    origin ??= facts?.origin ?? null
  }
  if (origin !== null && !names.has(origin)) origin = null
  const others = [...names].filter((name) => name !== origin).sort()
  return { names: origin === null ? others : [origin, ...others], origin, withoutTakeOver }
}

/** Null where there is none. */
export async function readGatewayFile(
  directory: string,
  name: string,
): Promise<GatewayFileFacts | null> {
  const path = join(directory, 'gateway', `${name}.yaml`)
  const text = await readFile(path, 'utf8').catch(ignoreMissing)
  return text === undefined ? null : gatewayFileFacts(text)
}

async function yamlNames(folder: string): Promise<string[]> {
  const files = (await readdir(folder).catch(ignoreMissing)) ?? []
  return files.filter((file) => file.endsWith('.yaml')).map((file) => file.slice(0, -5))
}
