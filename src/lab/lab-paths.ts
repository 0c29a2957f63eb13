import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { LandbridgeError } from '../base/errors.ts'
import type { HostName, SiteName } from './lab-sites.ts'

export const PORTS = { link: 7400, page: 7480, wireguard: 51_820 } as const

/** What belongs to one lab, all derived from its name, so that a lost state file costs nothing. */
export interface LabPaths {
  readonly name: string
  /** 8 hex digits for names that must be short and unique on the machine. */
  readonly id: string
  /** State and sockets; short, since a socket's path may have only 107 bytes. */
  readonly runDirectory: string
  /** Databases, spool, configuration, logs. */
  readonly dataDirectory: string
  readonly stateFile: string
  readonly wanSocket: string
  readonly logDirectory: string
  namespace(host: HostName): string
  /** Unique, because the sockets in /var/run/wireguard are shared by all namespaces. */
  interfaceName(site: SiteName): string
}

const NAME = /^[a-z0-9](?:[a-z0-9-]{0,22}[a-z0-9])?$/

export function labPaths(name: string): LabPaths {
  if (!NAME.test(name)) {
    throw new LandbridgeError(
      'ERR_USAGE',
      `--name ${name} is not 1 to 24 of a-z, 0-9 and - (inside)`,
    )
  }
  const id = createHash('sha256').update(name).digest('hex').slice(0, 8)
  const runDirectory = join(labsRunDirectory(), name)
  const dataDirectory = join(labsDataDirectory(), name)
  return {
    name,
    id,
    runDirectory,
    dataDirectory,
    stateFile: join(runDirectory, 'state.json'),
    wanSocket: join(runDirectory, 'wan.sock'),
    logDirectory: join(dataDirectory, 'log'),
    namespace: (host) => `lb-${name}-${host}`,
    interfaceName: (site) => `lb${id}${site[0]}`,
  }
}

export function labsRunDirectory(): string {
  return process.env.LANDBRIDGE_LAB_RUN ?? '/run/landbridge-lab'
}

/** Where a lab's databases and spools are, for looking at what is left. */
export function labsDataDirectory(): string {
  return process.env.LANDBRIDGE_LAB_DATA ?? '/var/lib/landbridge-lab'
}
