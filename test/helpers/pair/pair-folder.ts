import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type PairPlan, setUpPair } from '../../../src/provision/pair-setup.ts'

/** What `landbridge init` is asked for when a test does not care. */
export function pairPlan(directory: string, changes: Partial<PairPlan> = {}): PairPlan {
  return {
    directory,
    production: {
      name: 'ec2',
      site: 'production',
      endpoint: { host: '198.51.100.20', port: 51_820 },
      tunnelAddress: { address: '10.77.0.1', prefixLength: 30 },
    },
    dr: {
      name: 'azure',
      site: 'dr',
      endpoint: null,
      tunnelAddress: { address: '10.77.0.2', prefixLength: 30 },
    },
    only: null,
    renew: false,
    dataDir: '/var/lib/landbridge',
    credentials: false,
    externalTunnel: false,
    tunnelIsExample: true,
    linkPort: 7400,
    source: null,
    sourceUser: 'landbridge',
    relayListen: { host: '0.0.0.0', port: 3307 },
    relayUser: 'replica',
    sourceCa: null,
    replicaCa: null,
    given: [],
    nowMs: Date.now(),
    ...changes,
  }
}

/** A folder with the files of a whole pair in it. */
export class PairFolder {
  readonly path: string

  private constructor(path: string) {
    this.path = path
  }

  static async create(): Promise<PairFolder> {
    const path = await mkdtemp(join(tmpdir(), 'landbridge-pair-'))
    await setUpPair(pairPlan(path))
    return new PairFolder(path)
  }

  at(...parts: string[]): string {
    return join(this.path, ...parts)
  }

  /** Replaces text in a file; each `from` must be there. */
  async edit(file: string, ...changes: readonly (readonly [string, string])[]): Promise<void> {
    let text = await readFile(this.at(file), 'utf8')
    for (const [from, to] of changes) {
      if (!text.includes(from)) throw new Error(`${file} does not have ${from}`)
      text = text.replace(from, to)
    }
    await writeFile(this.at(file), text)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true })
  }
}
