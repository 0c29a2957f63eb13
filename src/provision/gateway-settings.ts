import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { identityFiles } from '../keys/identity-section.ts'

/** Settings of a gateway file as a program chooses them; sections in the form of the file. */
export interface GatewaySettings {
  /** Of the gateway and of its site. */
  readonly name: string
  /** Names of the other gateways. */
  readonly peers: readonly string[]
  /** Relative to gateway/, or absolute. */
  readonly dataDir: string
  readonly sections: Readonly<Record<string, unknown>>
  readonly streams: readonly object[]
}

/**
 * Writes gateway/NAME.yaml for keys and peer files that `setUpIdentities` has made in the same
 * folder, instead of the one with comments that `init` writes for people. Returns its path.
 */
export async function writeGatewaySettings(
  directory: string,
  { name, peers, dataDir, sections, streams }: GatewaySettings,
): Promise<string> {
  const path = join(directory, 'gateway', `${name}.yaml`)
  const content = {
    name,
    site: name,
    dataDir,
    peers,
    identity: identityFiles({ name, credentials: false }),
    ...sections,
    streams,
  }
  await mkdir(join(directory, 'gateway'), { recursive: true })
  await writeFile(path, stringify(content))
  return path
}
