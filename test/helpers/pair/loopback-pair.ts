import { mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseDocument } from 'yaml'
import {
  LoopbackGateways,
  RELAY_PASSWORD,
  type ServerLogin,
  writeLoopbackSites,
} from './loopback-gateways.ts'

/** By the roles of the first term: the names of the sites are in NAMES. */
export type Site = 'production' | 'dr'

export interface LoopbackPairOptions {
  readonly source: ServerLogin
  readonly replica?: ServerLogin
  /** Further keys of the link section at both ends. */
  readonly link?: Record<string, unknown>
  readonly throttle?: Record<string, unknown>
  /** At both sites. */
  readonly spool?: Record<string, unknown>
  /** Both gateways serve their web page. */
  readonly page?: boolean
}

export const NAMES = { production: 'ec2', dr: 'azure' } as const

/** Two real gateways on the loopback, `tunnel: external`, each a process of its own. */
export class LoopbackPair extends LoopbackGateways<Site> {
  /** Of the gateway of the copy. */
  readonly relayPort: number
  /** Of the production gateway, for the times when that is a copy. */
  readonly productionRelayPort: number
  readonly linkPort: number
  /** Null without pages. */
  readonly pagePorts: Readonly<Record<Site, number>> | null
  readonly relayPassword = RELAY_PASSWORD
  #spools = 1

  private constructor(
    directory: string,
    ports: Pick<LoopbackPair, 'relayPort' | 'productionRelayPort' | 'linkPort' | 'pagePorts'>,
  ) {
    super(directory, NAMES)
    this.relayPort = ports.relayPort
    this.productionRelayPort = ports.productionRelayPort
    this.linkPort = ports.linkPort
    this.pagePorts = ports.pagePorts
  }

  static async create(options: LoopbackPairOptions): Promise<LoopbackPair> {
    const directory = await mkdtemp(join(tmpdir(), 'lbpair-'))
    const { source, replica, link, throttle, spool, page } = options
    const { linkPort, relayPorts, pagePorts } = await writeLoopbackSites(directory, {
      sites: [NAMES.production, NAMES.dr],
      streams: [
        {
          name: 'main',
          origin: NAMES.production,
          databases: { [NAMES.production]: source, ...(replica && { [NAMES.dr]: replica }) },
          ...(throttle && { throttle }),
          ...(spool && { spool }),
        },
      ],
      ...(link && { link }),
      ...(page && { page }),
    })
    const pagePortOf = (site: string) => pagePorts.get(site) ?? 0
    const relayPortOf = (site: string) => relayPorts.get(`${site} main`) ?? 0
    return new LoopbackPair(directory, {
      linkPort,
      relayPort: relayPortOf(NAMES.dr),
      productionRelayPort: relayPortOf(NAMES.production),
      pagePorts: page
        ? { production: pagePortOf(NAMES.production), dr: pagePortOf(NAMES.dr) }
        : null,
    })
  }

  /** Where the gateway of the copy remembers its spool; without this a lost one begins anew. */
  get spoolMemoryPath(): string {
    return join(this.dataDirectory('dr'), 'spool-main.json')
  }

  /** As an operator would: another source in the production gateway's config, read at start. */
  async pointSourceAt(port: number): Promise<void> {
    await this.#edit('production', ['database', 'port'], port)
  }

  /** As an operator would: a spool directory that does not exist yet. It is read at start. */
  async renewSpool(): Promise<void> {
    this.#spools += 1
    await this.#edit('dr', ['spool', 'directory'], this.#spoolName)
  }

  /** Of the gateway of the copy. */
  get spoolDirectory(): string {
    return join(this.dataDirectory('dr'), this.#spoolName)
  }

  /** Of the production gateway, for the times when that is a copy. */
  get productionSpoolDirectory(): string {
    return join(this.dataDirectory('production'), 'spool/main')
  }

  get #spoolName(): string {
    return this.#spools === 1 ? 'spool/main' : `spool/main-${this.#spools}`
  }

  async #edit(site: Site, setting: readonly string[], value: unknown): Promise<void> {
    const path = this.configPath(site)
    const config = parseDocument(await readFile(path, 'utf8'))
    config.setIn(['streams', 0, ...setting], value)
    await writeFile(path, config.toString())
  }
}
