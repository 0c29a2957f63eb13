import type { LabPaths } from '../lab-paths.ts'
import {
  addressesOf,
  type HostName,
  hostsOf,
  LAN_PREFIX,
  LEG_PREFIX,
  labOfNamespace,
  PUBLIC_NETWORK,
  type SiteName,
} from '../lab-sites.ts'
import { pidStartTicks, signalProcess, waitForExit } from '../servers/process-identity.ts'
import { runCommand, tryCommand } from './command.ts'

interface Wire {
  readonly ends: readonly [WireEnd, WireEnd]
  readonly prefixLength: number
}

interface WireEnd {
  readonly host: HostName
  readonly device: string
  readonly address: string
}

/** The site's own network, and its leg of the WAN. Nothing leads outside. */
function wiresOf(site: SiteName): Wire[] {
  const { db, gateway, gatewayWan, wanLeg } = addressesOf(site)
  return [
    {
      prefixLength: LAN_PREFIX,
      ends: [
        { host: `${site}-db`, device: 'lan', address: db },
        { host: `${site}-gw`, device: 'lan', address: gateway },
      ],
    },
    {
      prefixLength: LEG_PREFIX,
      ends: [
        { host: `${site}-gw`, device: 'wan', address: gatewayWan },
        { host: 'wan', device: site, address: wanLeg },
      ],
    },
  ]
}

/** argv prefix that runs a program on a host of the lab. `ip` execs it: the pid stays the same. */
export function onHost(paths: LabPaths, host: HostName): string[] {
  return ['ip', 'netns', 'exec', paths.namespace(host)]
}

export async function createNamespaces(paths: LabPaths, sites: readonly SiteName[]): Promise<void> {
  for (const host of hostsOf(sites)) {
    await runCommand(['ip', 'netns', 'add', paths.namespace(host)])
    await runCommand(['ip', '-n', paths.namespace(host), 'link', 'set', 'lo', 'up'])
  }
  for (const site of sites) {
    for (const wire of wiresOf(site)) await addWire(paths, wire)
    await addPublicAddress(paths, site)
  }
}

/** The WAN answers at it; the gateway finds those of the others behind its leg. */
async function addPublicAddress(paths: LabPaths, site: SiteName): Promise<void> {
  const { public: address, wanLeg } = addressesOf(site)
  const atWan = ['ip', '-n', paths.namespace('wan')]
  await runCommand([...atWan, 'address', 'add', `${address}/32`, 'dev', 'lo'])
  const atGateway = ['ip', '-n', paths.namespace(`${site}-gw`)]
  await runCommand([...atGateway, 'route', 'add', PUBLIC_NETWORK, 'via', wanLeg])
}

async function addWire(paths: LabPaths, { ends, prefixLength }: Wire): Promise<void> {
  const [first, second] = ends
  // Both ends are born in their namespace: no name of ours is ever seen on the machine itself.
  await runCommand([
    ...['ip', 'link', 'add', first.device, 'netns', paths.namespace(first.host)],
    ...['type', 'veth', 'peer', 'name', second.device, 'netns', paths.namespace(second.host)],
  ])
  for (const end of ends) {
    const inside = ['ip', '-n', paths.namespace(end.host)]
    const address = `${end.address}/${prefixLength}`
    await runCommand([...inside, 'address', 'add', address, 'dev', end.device])
    await runCommand([...inside, 'link', 'set', end.device, 'up'])
  }
}

/**
 * A lab without gateways has nothing between the databases of two sites but this. `number`: a small
 * one of its own for each wire of a lab.
 */
export async function addDirectWire(
  paths: LabPaths,
  [one, other]: readonly [SiteName, SiteName],
  number: number,
): Promise<void> {
  const [first, second] = [`192.0.2.${4 * number + 1}`, `192.0.2.${4 * number + 2}`]
  await addWire(paths, {
    prefixLength: 30,
    ends: [
      { host: `${one}-db`, device: `to-${other}`, address: first },
      { host: `${other}-db`, device: `to-${one}`, address: second },
    ],
  })
  const route = async (at: SiteName, to: SiteName, gateway: string) => {
    const inside = ['ip', '-n', paths.namespace(`${at}-db`)]
    await runCommand([...inside, 'route', 'add', `${addressesOf(to).db}/32`, 'via', gateway])
  }
  await route(one, other, second)
  await route(other, one, first)
}

export async function listNamespaces(): Promise<string[]> {
  const listed = await tryCommand(['ip', 'netns', 'list'])
  return listed.stdout
    .split('\n')
    .map((line) => line.split(' ')[0] ?? '')
    .filter((name) => name !== '')
}

/** Ends whatever runs on the lab's hosts, then removes the hosts and with them their devices. */
export async function removeNamespaces(paths: LabPaths): Promise<void> {
  const namespaces = (await listNamespaces()).filter((name) => labOfNamespace(name) === paths.name)
  for (const namespace of namespaces) await endProcessesIn(namespace)
  for (const namespace of namespaces) await runCommand(['ip', 'netns', 'delete', namespace])
}

async function endProcessesIn(namespace: string): Promise<void> {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    const listed = await tryCommand(['ip', 'netns', 'pids', namespace])
    const running = listed.stdout
      .split(/\s+/)
      .map((text) => ({ pid: Number(text), startTicks: pidStartTicks(Number(text)) ?? '' }))
      .filter((one) => one.pid > 0 && one.pid !== process.pid && one.startTicks !== '')
    for (const { pid, startTicks } of running) signalProcess(pid, startTicks, signal)
    const waitMs = signal === 'SIGTERM' ? 3_000 : 10_000
    await Promise.all(running.map((one) => waitForExit(one.pid, one.startTicks, waitMs)))
  }
}
