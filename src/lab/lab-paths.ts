import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { LandbridgeError } from '../base/errors.ts'

export const HOSTS = ['prod-db', 'prod-gw', 'wan', 'dr-gw', 'dr-db'] as const
export type HostName = (typeof HOSTS)[number]

/** Every lab has the same addresses: its hosts see nothing but each other. */
export const ADDRESSES = {
  prodDb: '198.51.100.10',
  prodGw: '198.51.100.20',
  drGw: '203.0.113.20',
  drDb: '203.0.113.10',
  /** The WAN: a subnet towards each gateway. */
  wanProd: '192.0.2.1',
  prodGwWan: '192.0.2.10',
  wanDr: '192.0.2.129',
  drGwWan: '192.0.2.138',
} as const

export const PORTS = {
  source: 3306,
  replica: 3306,
  relay: 3307,
  link: 7400,
  wireguard: 51_820,
} as const

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
  readonly interfaces: { readonly prod: string; readonly dr: string }
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
  const dataDirectory = join(process.env.LANDBRIDGE_LAB_DATA ?? '/var/lib/landbridge-lab', name)
  return {
    name,
    id,
    runDirectory,
    dataDirectory,
    stateFile: join(runDirectory, 'state.json'),
    wanSocket: join(runDirectory, 'wan.sock'),
    logDirectory: join(dataDirectory, 'log'),
    namespace: (host) => `lb-${name}-${host}`,
    interfaces: { prod: `lb${id}p`, dr: `lb${id}d` },
  }
}

export function labsRunDirectory(): string {
  return process.env.LANDBRIDGE_LAB_RUN ?? '/run/landbridge-lab'
}

/** Where a lab's databases and spools are, for looking at what is left. */
export function labsDataDirectory(): string {
  return process.env.LANDBRIDGE_LAB_DATA ?? '/var/lib/landbridge-lab'
}

export function isHostName(text: string): text is HostName {
  return (HOSTS as readonly string[]).includes(text)
}
