import { ADDRESSES, HOSTS, type HostName, type LabPaths } from '../lab-paths.ts'
import { pidStartTicks, signalProcess, waitForExit } from '../servers/process-identity.ts'
import { runCommand, tryCommand } from './command.ts'

interface Wire {
  readonly ends: readonly [WireEnd, WireEnd]
}

interface WireEnd {
  readonly host: HostName
  readonly device: string
  readonly address: string
}

/** Production's network, the WAN's two halves, DR's network. Nothing leads outside. */
const WIRES: readonly Wire[] = [
  wire(['prod-db', 'lan', ADDRESSES.prodDb], ['prod-gw', 'lan', ADDRESSES.prodGw]),
  wire(['prod-gw', 'wan', ADDRESSES.prodGwWan], ['wan', 'prod', ADDRESSES.wanProd]),
  wire(['wan', 'dr', ADDRESSES.wanDr], ['dr-gw', 'wan', ADDRESSES.drGwWan]),
  wire(['dr-gw', 'lan', ADDRESSES.drGw], ['dr-db', 'lan', ADDRESSES.drDb]),
]

function wire(first: [HostName, string, string], second: [HostName, string, string]): Wire {
  const end = ([host, device, address]: [HostName, string, string]) => ({ host, device, address })
  return { ends: [end(first), end(second)] }
}

/** argv prefix that runs a program on a host of the lab. `ip` execs it: the pid stays the same. */
export function onHost(paths: LabPaths, host: HostName): string[] {
  return ['ip', 'netns', 'exec', paths.namespace(host)]
}

export async function createNamespaces(paths: LabPaths): Promise<void> {
  for (const host of HOSTS) {
    await runCommand(['ip', 'netns', 'add', paths.namespace(host)])
    await runCommand(['ip', '-n', paths.namespace(host), 'link', 'set', 'lo', 'up'])
  }
  for (const one of WIRES) await addWire(paths, one)
}

async function addWire(paths: LabPaths, { ends }: Wire): Promise<void> {
  const [first, second] = ends
  // Both ends are born in their namespace: no name of ours is ever seen on the machine itself.
  await runCommand([
    ...['ip', 'link', 'add', first.device, 'netns', paths.namespace(first.host)],
    ...['type', 'veth', 'peer', 'name', second.device, 'netns', paths.namespace(second.host)],
  ])
  for (const end of ends) {
    const inside = ['ip', '-n', paths.namespace(end.host)]
    await runCommand([...inside, 'address', 'add', `${end.address}/25`, 'dev', end.device])
    await runCommand([...inside, 'link', 'set', end.device, 'up'])
  }
}

/** A lab without gateways has nothing between the databases but this. */
export async function addDirectWire(paths: LabPaths): Promise<void> {
  await addWire(paths, wire(['prod-db', 'direct', '192.0.2.65'], ['dr-db', 'direct', '192.0.2.66']))
  const inside = ['ip', '-n', paths.namespace('dr-db')]
  await runCommand([...inside, 'route', 'add', `${ADDRESSES.prodDb}/32`, 'via', '192.0.2.65'])
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
  const present = new Set(await listNamespaces())
  const namespaces = HOSTS.map((host) => paths.namespace(host)).filter((name) => present.has(name))
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
