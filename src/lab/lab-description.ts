import { onlyLink } from '../status/links.ts'
import type { GatewayStatus } from '../status/status.ts'
import { newestEpochFolder } from './compare/spool-files.ts'
import { isRunning } from './hosts/lab-process.ts'
import { landbridgeCommand, missingOfPair, readPair } from './lab-gateways.ts'
import { lockOwner } from './lab-lock.ts'
import { ADDRESSES, HOSTS, type LabPaths, PORTS } from './lab-paths.ts'
import { type LabState, processNames } from './lab-state.ts'
import type { ServerRecord } from './servers/server-options.ts'
import { requestWan } from './wan/wan.ts'
import type { WanReport } from './wan/wan-relay.ts'

/** All that a stranger needs to use a lab: `lab up --json` and `lab status --json`. */
export async function describeLab(paths: LabPaths, state: LabState) {
  const processes = processNames(state).map((name) => {
    const record = state.processes[name]
    const running = record !== undefined && isRunning(record)
    return { name, pid: record?.pid ?? null, running, logFile: record?.logFile ?? null }
  })
  const pair = state.gateways === null ? null : await readPair(state.gateways)
  const wan = await requestWan(paths.wanSocket).catch(() => null)
  const problems = [
    ...processes.filter(({ running }) => !running).map(({ name }) => `${name} is not running`),
    ...(pair === null ? [] : [missingOfPair(pair, 'replica')]),
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
    hosts: describeHosts(paths),
    processes,
    wan: { controlSocket: paths.wanSocket, ...(wan ?? { settings: state.wan.settings }) },
    source: describeDatabase(state.databases.source, 'prod-db'),
    replica: describeDatabase(state.databases.replica, 'dr-db'),
    logins: state.logins,
    relay:
      state.gateways === null
        ? null
        : { host: ADDRESSES.drGw, port: PORTS.relay, ...state.logins.relay },
    gateways: state.gateways,
    spoolDirectory: state.spoolDirectory,
    spoolFiles: await newestEpochFolder(state.spoolDirectory),
    status: pair,
    examples: examples(paths, state),
  }
}

export type LabDescription = Awaited<ReturnType<typeof describeLab>>

function describeHosts(paths: LabPaths) {
  const addresses: Record<string, readonly string[]> = {
    'prod-db': [ADDRESSES.prodDb],
    'prod-gw': [ADDRESSES.prodGw, ADDRESSES.prodGwWan],
    wan: [ADDRESSES.wanProd, ADDRESSES.wanDr],
    'dr-gw': [ADDRESSES.drGw, ADDRESSES.drGwWan],
    'dr-db': [ADDRESSES.drDb],
  }
  return HOSTS.map((name) => ({
    name,
    namespace: paths.namespace(name),
    addresses: addresses[name] ?? [],
  }))
}

function describeDatabase(server: ServerRecord | undefined, host: string) {
  if (server === undefined) return null
  const { version, socket, bindAddress, port, serverId, pid, rootUser, tls } = server
  return {
    host,
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

function examples(paths: LabPaths, state: LabState): Record<string, string> {
  const name = ` --name ${paths.name}`
  const landbridge = landbridgeCommand()
  const sql = (server: ServerRecord | undefined) =>
    `mariadb --no-defaults --user=root --socket=${server?.socket}`
  const common = {
    sqlAtSource: sql(state.databases.source),
    sqlAtReplica: sql(state.databases.replica),
    load: `${landbridge} lab load --seconds 10${name}`,
    compare: `${landbridge} lab compare${name}`,
    cutTheWan: `${landbridge} lab wan --cut${name}`,
    healTheWan: `${landbridge} lab wan --heal${name}`,
    takeDown: `${landbridge} lab down${name}`,
  }
  if (state.gateways === null) return common
  return {
    ...common,
    status: `${landbridge} status --config ${state.gateways.dr.config}`,
    killAGateway: `${landbridge} lab kill prod-gateway --signal SIGKILL${name}`,
    startItAgain: `${landbridge} lab start prod-gateway${name}`,
    onAHost: `${landbridge} lab exec prod-gw${name} -- ip address`,
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
        `    ${name.padEnd(13)} ${running ? `pid ${pid}` : 'not running'}`,
    ),
    `  source   socket ${lab.source?.socket}`,
    `           binlog ${lab.source?.binlogDirectory}`,
    `  replica  socket ${lab.replica?.socket}`,
  ]
  if (lab.gateways !== null) {
    lines.push(
      `  spool    ${lab.spoolFiles ?? lab.spoolDirectory}`,
      ...[lab.gateways.production, lab.gateways.dr].map(
        ({ site, config, adminSocket }) => `  ${site} gateway  ${config}  admin ${adminSocket}`,
      ),
      ...streamLines(lab.status?.dr ?? null),
    )
  }
  lines.push('  try:', ...Object.values(lab.examples).map((example) => `    ${example}`))
  return `${lines.join('\n')}\n`
}

function streamLines(dr: GatewayStatus | null): string[] {
  const stream = dr?.streams[0]
  if (dr === null || stream === undefined) return []
  const replica = stream.replicas[0]
  return [
    `  tunnel ${dr.tunnel.state} (${dr.tunnel.backend}), link ${onlyLink(dr.links)?.state ?? '-'}` +
      `, stream ${stream.state}, replica ${replica?.state ?? 'none'}`,
  ]
}

export function wanLines(report: WanReport): string {
  const lines = Object.entries(report.directions).map(
    ([direction, { packets, bytes, dropped }]) =>
      `  ${direction}: ${packets} packets, ${bytes} bytes passed, ${dropped} dropped`,
  )
  return `${lines.join('\n')}\n`
}
