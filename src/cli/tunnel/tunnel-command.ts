import type { Command } from 'commander'
import { systemClock } from '../../base/clock.ts'
import { LandbridgeError } from '../../base/errors.ts'
import { silentLog } from '../../base/log.ts'
import { hanging } from '../../base/plain-text.ts'
import { loadConfig } from '../../gateway/config/load-config.ts'
import { loadPublicConfig } from '../../gateway/config/public-config.ts'
import { holdDataDirectory } from '../../gateway/data-directory.ts'
import { type TunnelAnswer, tunnelAnswer, tunnelOutput } from '../../gateway/tunnel-show.ts'
import type { Problem } from '../../status/status.ts'
import { Tunnel } from '../../tunnel/tunnel.ts'
import { publicTunnelOf, tunnelOptionsOf } from '../../tunnel/tunnel-options.ts'
import { clearTunnel, peekTunnel } from '../../tunnel/tunnel-remains.ts'
import { ExitCode } from '../exit-code.ts'
import { type AskFlags, addAsking, askGateway, NO_GATEWAY } from '../operation/gateway-call.ts'
import { withStopSignal } from '../terminal/stop-signal.ts'
import { output } from '../terminal/terminal.ts'
import { formatTunnel, type TunnelView } from './tunnel-view.ts'

interface Options {
  readonly config: string
  readonly json?: boolean
}

const SHOW_HELP = `
Exit codes: 0 up, or somebody else's tunnel; 1 stale, down or without a handshake yet; 2 wrong
arguments or configuration; 4 no answer, and no configuration to look by.`

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
  addAsking(tunnel.command('show'))
    .description(
      'Shows the tunnel as `wg show` does, with what the gateway knows beside it. Where no' +
        ' gateway answers, --config says which interface to look at.',
    )
    .addHelpText('after', SHOW_HELP)
    .action((flags: AskFlags) => withStopSignal((signal) => show(flags, signal)))
  add('up', 'Makes the tunnel and keeps it until Ctrl-C, to try the path between two sites.')
    .option('--json', 'print what `show --json` does, with `problem`, a line for each change')
    .action(up)
  add('down', 'Removes what a gateway that was killed left of its tunnel.')
    .option('--json', 'print one JSON object')
    .action(down)
}

async function show(flags: AskFlags, signal: AbortSignal): Promise<void> {
  const { output: facts, gatewayAnswers } = await askGateway(
    flags,
    {
      ...{ name: 'tunnel.show', permission: 'read', input: {}, output: tunnelOutput },
      here: peek,
    },
    signal,
  )
  const view = { schema: 1, ...facts, gatewayAnswers } as const
  if (flags.json === true) output.writeJson(view)
  else {
    output.showPainted(view, (plain, paint) => {
      return `${formatTunnel(plain, paint)}${gatewayAnswers ? '' : NO_GATEWAY}`
    })
  }
  const { state } = facts.status
  process.exitCode = state === 'up' || state === 'external' ? ExitCode.Ok : ExitCode.Failure
}

/** The interface itself; somebody else's tunnel is not ours to look at. */
async function peek(path: string, silence: unknown): Promise<TunnelAnswer> {
  const config = await loadPublicConfig(path)
  const options = publicTunnelOf(config)
  if (options === null) throw silence
  return tunnelAnswer(config, await peekTunnel(options, systemClock))
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
    const view = { schema: 1, ...tunnelAnswer(config, tunnel.status()) } as const
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
