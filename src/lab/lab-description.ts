import type { GatewayStatus } from '../status/status.ts'
import { newestEpochFolder } from './compare/spool-files.ts'
import { isRunning } from './hosts/lab-process.ts'
import { landbridgeCommand } from './lab-gateways.ts'
import { lockOwner } from './lab-lock.ts'
import type { LabPaths } from './lab-paths.ts'
import {
  missingOfLab,
  readSites,
  type SiteStatus,
  shapeNow,
  statusAt,
  streamAt,
} from './lab-readiness.ts'
import {
  copiesOf,
  databaseName,
  gatewayName,
  type LabCopy,
  type LabShape,
  type LabStream,
  relayPort,
  type StreamName,
} from './lab-shape.ts'
import { addressesOf, hostsOf, type SiteName } from './lab-sites.ts'
import { type LabState, processNames, spoolOf } from './lab-state.ts'
import type { ServerRecord } from './servers/server-options.ts'
import { requestWan } from './wan/wan.ts'
import type { WanPairReport } from './wan/wan-pair.ts'
import type { WanReport } from './wan/wan-relay.ts'

/** All that a stranger needs to use a lab: `lab up --json` and `lab status --json`. */
export async function describeLab(paths: LabPaths, state: LabState) {
  const processes = processNames(state).map((name) => {
    const record = state.processes[name]
    const running = record !== undefined && isRunning(record)
    return { name, pid: record?.pid ?? null, running, logFile: record?.logFile ?? null }
  })
  const statuses = await readSites(state.gateways)
  const shape = shapeNow(state, statuses)
  const wan = await requestWan(paths.wanSocket).catch(() => null)
  const problems = [
    ...processes.filter(({ running }) => !running).map(({ name }) => `${name} is not running`),
    ...(state.gateways.length === 0 ? [] : [missingOfLab(state, statuses, 'replica')]),
    state.phase === 'up' || (await lockOwner(paths)) !== null
      ? null
      : 'it was interrupted half way',
  ].filter((problem) => problem !== null)
  return {
    ok: problems.length === 0,
    name: state.name,
    phase: state.phase,
    flavor: state.flavor,
    problems,
    directory: state.directory,
    runDirectory: paths.runDirectory,
    stateFile: paths.stateFile,
    sites: state.sites,
    hosts: describeHosts(paths, state.sites),
    processes,
    wan: { controlSocket: paths.wanSocket, ...(wan ?? { pairs: state.wan.pairs }) },
    streams: await Promise.all(
      shape.streams.map((stream) => describeStream(state, shape, stream, statuses)),
    ),
    logins: state.logins,
    gateways: state.gateways,
    status: statuses,
    examples: examples(paths, state, shape),
  }
}

export type LabDescription = Awaited<ReturnType<typeof describeLab>>

function describeHosts(paths: LabPaths, sites: readonly SiteName[]) {
  const addresses = new Map<string, readonly string[]>()
  for (const site of sites) {
    const { db, gateway, gatewayWan } = addressesOf(site)
    addresses.set(`${site}-db`, [db])
    addresses.set(`${site}-gw`, [gateway, gatewayWan])
  }
  const ofWan = sites.map(addressesOf).flatMap(({ wanLeg, public: open }) => [wanLeg, open])
  return hostsOf(sites).map((name) => ({
    name,
    namespace: paths.namespace(name),
    addresses: addresses.get(name) ?? ofWan,
  }))
}

async function describeStream(
  state: LabState,
  shape: LabShape,
  { name, origin }: LabStream,
  statuses: readonly SiteStatus[],
) {
  const copies = copiesOf(shape).filter(({ stream }) => stream === name)
  return {
    name,
    origin,
    /** How often the origin was decided; null when no gateway says so. */
    term: streamAt(statuses, { stream: name, site: origin })?.term.term ?? null,
    source: describeDatabase(state, name, origin),
    copies: await Promise.all(copies.map((copy) => describeCopy(state, copy, statuses))),
  }
}

async function describeCopy(state: LabState, copy: LabCopy, statuses: readonly SiteStatus[]) {
  const { stream, site } = copy
  const status = streamAt(statuses, copy)
  const hasGateways = state.gateways.length > 0
  const spoolDirectory = spoolOf(state, stream, site)
  return {
    site,
    state: status?.state ?? null,
    replicaState: status?.replicas[0]?.state ?? null,
    replica: describeDatabase(state, stream, site),
    relay: hasGateways
      ? { host: addressesOf(site).gateway, port: relayPort(stream), ...state.logins.relay }
      : null,
    spoolDirectory: hasGateways ? spoolDirectory : null,
    spoolFiles: hasGateways ? await newestEpochFolder(spoolDirectory) : null,
  }
}

function describeDatabase(state: LabState, stream: StreamName, site: SiteName) {
  const process = databaseName(state, stream, site)
  const server = state.databases[process]
  if (server === undefined) return null
  const { version, socket, bindAddress, port, serverId, pid, rootUser, tls } = server
  return {
    process,
    host: `${site}-db`,
    address: bindAddress,
    port,
    serverId,
    version,
    pid,
    socket,
    /** Over the socket, without a password, from anywhere on the machine. */
    rootUser,
    dataDirectory: server.dataDirectory,
    binlogDirectory: server.binlogDirectory,
    logFile: server.logFile,
    authority: tls?.authority ?? null,
  }
}

function examples(paths: LabPaths, state: LabState, shape: LabShape): Record<string, string> {
  const name = paths.name === 'main' ? '' : ` --name ${paths.name}`
  const landbridge = landbridgeCommand()
  const sql = (server: ServerRecord | undefined) =>
    `mariadb --no-defaults --user=root --socket=${server?.socket}`
  const [copy] = copiesOf(shape)
  const [stream] = shape.streams
  if (copy === undefined || stream === undefined) throw new TypeError('a lab has a stream')
  const databaseAt = (site: SiteName) => state.databases[databaseName(state, stream.name, site)]
  const common = {
    sqlAtSource: sql(databaseAt(stream.origin)),
    sqlAtReplica: sql(databaseAt(copy.site)),
    load: `${landbridge} lab load --seconds 10${name}`,
    compare: `${landbridge} lab compare${name}`,
    cutTheWan: `${landbridge} lab wan --cut${name}`,
    healTheWan: `${landbridge} lab wan --heal${name}`,
    takeDown: `${landbridge} lab down${name}`,
  }
  const config = state.gateways.find(({ site }) => site === copy.site)?.config
  if (config === undefined) return common
  const gateway = gatewayName(stream.origin)
  return {
    ...common,
    status: `${landbridge} status --config ${config}`,
    killAGateway: `${landbridge} lab kill ${gateway} --signal SIGKILL${name}`,
    startItAgain: `${landbridge} lab start ${gateway}${name}`,
    onAHost: `${landbridge} lab exec ${stream.origin}-gw${name} -- ip address`,
  }
}

/** The same for people: a few lines. */
export function describeLabText(lab: LabDescription): string {
  const lines = [
    `lab ${lab.name}: ${lab.ok ? 'up' : 'NOT WHOLE'}, ${lab.flavor}, below ${lab.directory}`,
    ...lab.problems.map((problem) => `  problem: ${problem}`),
    '  processes:',
    ...lab.processes.map(
      ({ name, pid, running }) =>
        `    ${name.padEnd(14)} ${running ? `pid ${pid}` : 'not running'}`,
    ),
    ...lab.streams.flatMap(streamLines),
    ...(lab.gateways.length === 0 ? [] : ['  gateways:']),
    ...lab.gateways.flatMap(({ site, config, adminSocket }) => [
      `    ${site.padEnd(7)} ${gatewayState(statusAt(lab.status, site))}`,
      `            ${config}  admin ${adminSocket}`,
    ]),
    '  try:',
    ...Object.values(lab.examples).map((example) => `    ${example}`),
  ]
  return `${lines.join('\n')}\n`
}

/**
 *     stream main
 *       ec2 ──▶ azure   streaming, replica caught-up
 *           └─▶ gcp     streaming, replica streaming
 */
function streamLines({ name, origin, source, copies }: LabDescription['streams'][number]) {
  const arrows = copies.map(({ site, state, replicaState }, index) => {
    const begin = index === 0 ? `${origin} ──▶` : `${' '.repeat(origin.length)} └─▶`
    const told = state === null ? '' : `${state}, replica ${replicaState ?? 'none'}`
    return `    ${begin} ${site.padEnd(7)} ${told}`.trimEnd()
  })
  return [
    `  stream ${name}: origin ${origin}`,
    ...arrows,
    `    source   ${origin.padEnd(7)} socket ${source?.socket}`,
    `             ${''.padEnd(7)} binlog ${source?.binlogDirectory}`,
    ...copies.flatMap(({ site, replica, spoolDirectory, spoolFiles }) => [
      `    replica  ${site.padEnd(7)} socket ${replica?.socket}`,
      ...(spoolDirectory === null
        ? []
        : [`    spool    ${site.padEnd(7)} ${spoolFiles ?? spoolDirectory}`]),
    ]),
  ]
}

function gatewayState(status: GatewayStatus | null): string {
  if (status === null) return 'does not answer'
  const { state, backend } = status.tunnel
  const links = status.links.map(({ peer, role, state: link }) => `${role} ${peer} ${link}`)
  return `${status.state}, tunnel ${state} (${backend}), link ${links.join(', ')}`
}

export function wanLines(report: WanReport, describe: (pair: WanPairReport) => string): string {
  const lines = report.pairs.flatMap((pair) => [
    `${pair.between.join(' - ')}: ${describe(pair)} (by the ${pair.path})`,
    ...(['a-to-b', 'b-to-a'] as const).map((direction) => {
      const { packets, bytes, dropped } = pair.directions[direction]
      return `  ${direction}: ${packets} packets, ${bytes} bytes passed, ${dropped} dropped`
    }),
  ])
  return `${lines.join('\n')}\n`
}
