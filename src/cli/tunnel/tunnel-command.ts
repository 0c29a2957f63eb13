import type { Command } from 'commander'
import { fetchStatus } from '../../api/admin-client.ts'
import { systemClock } from '../../base/clock.ts'
import { codeOf, LandbridgeError } from '../../base/errors.ts'
import { silentLog } from '../../base/log.ts'
import { hanging } from '../../base/plain-text.ts'
import { roundNumbers } from '../../base/round-numbers.ts'
import { loadConfig } from '../../gateway/config/load-config.ts'
import { loadPublicConfig, type PublicConfig } from '../../gateway/config/public-config.ts'
import { holdDataDirectory } from '../../gateway/data-directory.ts'
import type { Problem, TunnelStatus } from '../../status/status.ts'
import { Tunnel } from '../../tunnel/tunnel.ts'
import { publicTunnelOf, tunnelOptionsOf } from '../../tunnel/tunnel-options.ts'
import { clearTunnel, peekTunnel } from '../../tunnel/tunnel-remains.ts'
import { ExitCode } from '../exit-code.ts'
import { output } from '../terminal/terminal.ts'
import { formatTunnel, type TunnelView } from './tunnel-view.ts'

interface Options {
  readonly config: string
  readonly json?: boolean
}

export function addTunnelCommand(program: Command): void {
  const tunnel = program
    .command('tunnel')
    .summary('show, make or remove the WireGuard tunnel alone')
    .description(
      'Shows, makes or removes the WireGuard tunnel alone; `landbridge run` makes its own.',
    )
  const add = (name: string, text: string) =>
    tunnel
      .command(name)
      .description(text)
      .requiredOption('-c, --config <file>', 'configuration of the gateway')
  add('show', 'Shows the tunnel as `wg show` does, with what the gateway knows beside it.')
    .option('--json', 'print one JSON object')
    .action(show)
  add('up', 'Makes the tunnel and keeps it until Ctrl-C, to try the path between two sites.')
    .option('--json', 'print what `show --json` does, with `problem`, a line for each change')
    .action(up)
  add('down', 'Removes what a gateway that was killed left of its tunnel.')
    .option('--json', 'print one JSON object')
    .action(down)
}

async function show(options: Options): Promise<void> {
  const config = await loadPublicConfig(options.config)
  const view = viewOf(config, await readStatus(config))
  output.show(options, view, formatTunnel)
  const { state } = view.status
  process.exitCode = state === 'up' || state === 'external' ? ExitCode.Ok : ExitCode.Failure
}

/** Of the running gateway, whose socket needs no privilege; else of the interface itself. */
async function readStatus(config: PublicConfig): Promise<TunnelStatus> {
  try {
    return (await fetchStatus(config.admin.socketPath)).tunnel
  } catch (error) {
    if (!['ERR_GATEWAY_NOT_RUNNING', 'ERR_GATEWAY_UNREACHABLE'].includes(codeOf(error))) throw error
    const options = publicTunnelOf(config)
    if (options === null) throw error
    return peekTunnel(options, systemClock)
  }
}

function viewOf(config: PublicConfig, status: TunnelStatus): TunnelView {
  const { tunnel, self, peers } = config
  return {
    schema: 1,
    status: roundNumbers(status),
    self: { name: self.name, site: self.site, publicKey: self.wireguardPublicKey },
    peers: peers.map(({ name, site, wireguardPublicKey: publicKey }) => {
      return { name, site, publicKey }
    }),
    listenPort: tunnel.kind === 'wireguard' ? tunnel.listenPort : null,
    keepaliveMs: tunnel.kind === 'wireguard' ? tunnel.keepaliveMs : null,
  }
}

async function up(options: Options): Promise<void> {
  const config = await loadConfig(options.config)
  const tunnel = new Tunnel({ ...wireguard(tunnelOptionsOf(config)), log: silentLog })
  const held = await holdDataDirectory(config.dataDir)
  const stopping = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => stopping.abort())
  }
  const running = tunnel.run(stopping.signal)
  let shown = ''
  while (!stopping.signal.aborted) {
    const [problem = null] = tunnel.problems()
    const view = viewOf(config, tunnel.status())
    const { state, peers } = view.status
    // A warning may stand for as long as the tunnel does: neither hides the other.
    const now = [...peers.map((peer) => peer.state), problem?.message ?? ''].join(' ')
    if (now !== shown && (state !== 'down' || problem !== null)) {
      output.show(options, { ...view, problem }, formatChange)
    }
    shown = now
    await systemClock.sleep(250, { signal: stopping.signal }).catch(() => undefined)
  }
  await running
  await held.release()
}

export function formatChange(view: TunnelView & { readonly problem: Problem | null }): string {
  const parts = view.status.state === 'down' ? [] : [formatTunnel(view)]
  if (view.problem !== null) parts.push(formatProblem(view.problem))
  return `${parts.join('\n')}\n`
}

function formatProblem({ message, remedy }: Problem): string {
  const text = hanging(message, 4)
  return remedy === undefined ? text : `${text}\n  remedy: ${hanging(remedy, 4)}`
}

async function down({ config: path, json }: Options): Promise<void> {
  const config = await loadPublicConfig(path)
  const options = wireguard(publicTunnelOf(config))
  // Whoever runs removes its tunnel itself.
  const held = await holdDataDirectory(config.dataDir)
  const name = await clearTunnel(options, systemClock).finally(() => held.release())
  const report = { ok: true, gateway: config.name, interface: name }
  output.show(
    { json: json === true },
    report,
    (one) => `nothing of tunnel ${one.interface} is left\n`,
  )
}

function wireguard<Options>(options: Options | null): Options {
  if (options !== null) return options
  throw new LandbridgeError('ERR_USAGE', 'the configuration says `tunnel: external`', {
    remedy: 'make and remove that tunnel with its own tools',
  })
}
