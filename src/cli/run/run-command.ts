import { type Command, Option } from 'commander'
import { codeOf } from '../../base/errors.ts'
import type { Log } from '../../base/log.ts'
import { packageVersion } from '../../base/version.ts'
import type { GatewayConfig } from '../../gateway/config/gateway-config.ts'
import { loadConfig } from '../../gateway/config/load-config.ts'
import { createLog } from '../../observe/log.ts'
import { LOG_LEVELS, type LogLevel } from '../../observe/log-section.ts'
import { requireIdentity } from '../check/check-identity.ts'
import { notifyServiceManager } from './service-manager.ts'

interface RunOptions {
  readonly config: string
  readonly logLevel?: LogLevel
}

/** The gateway as this command needs it; `createGateway` of gateway.ts makes it. */
interface RunnableGateway {
  run(signal: AbortSignal): Promise<void>
}

type CreateGateway = (
  config: GatewayConfig,
  parts: { readonly log: Log },
) => Promise<RunnableGateway>

const EXIT_INTERRUPTED = 130
/** When all is closed the process ends by itself; if something was forgotten, it is made to. */
const LEFTOVER_MS_MAX = 3_000

export function addRunCommand(program: Command): void {
  const level = new Option('-l, --log-level <level>', 'instead of log.level of the configuration')
  program
    .command('run')
    .summary('run a gateway in the foreground')
    .description('Runs a gateway until SIGTERM or Ctrl-C; a second one ends it at once.')
    .requiredOption('-c, --config <file>', 'configuration of the gateway')
    .addOption(level.choices(LOG_LEVELS))
    .action(async (options: RunOptions) => {
      const config = await loadConfig(options.config)
      requireIdentity(config, Date.now())
      const log = createLog({ level: options.logLevel ?? config.log.level, name: config.name })
      const { createGateway } = await import('../../gateway.ts')
      await runGateway(config, log, createGateway)
    })
}

/** Settles when the gateway has stopped; rejects when it could not start or has a defect. */
export async function runGateway(
  config: GatewayConfig,
  log: Log,
  createGateway: CreateGateway,
): Promise<void> {
  const stopping = new AbortController()
  const notifying = new AbortController()
  const release = installHandlers(log, stopping)
  const { name, site } = config
  log.info({ name, site, version: packageVersion(), pid: process.pid }, 'gateway starts')
  const either = AbortSignal.any([stopping.signal, notifying.signal])
  const notified = notifyServiceManager({ env: process.env, log }, either)
  try {
    const gateway = await createGateway(config, { log })
    await gateway.run(stopping.signal)
    log.info({ name }, 'gateway stopped')
  } finally {
    notifying.abort()
    await notified
    release()
  }
  endLeftovers(log)
}

function installHandlers(log: Log, stopping: AbortController): () => void {
  const onSignal = (name: NodeJS.Signals): void => {
    if (stopping.signal.aborted) process.exit(EXIT_INTERRUPTED)
    log.info({ signal: name }, 'gateway stops; once more to end it at once')
    stopping.abort()
  }
  const onDefect = (error: unknown): void => {
    log.error({ error, code: codeOf(error) }, 'gateway ends because of a defect')
    process.exit(1)
  }
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  for (const name of signals) process.on(name, onSignal)
  process.on('uncaughtException', onDefect)
  process.on('unhandledRejection', onDefect)
  return () => {
    for (const name of signals) process.off(name, onSignal)
    process.off('uncaughtException', onDefect)
    process.off('unhandledRejection', onDefect)
  }
}

function endLeftovers(log: Log): void {
  const timer = setTimeout(() => {
    const resources = process.getActiveResourcesInfo()
    log.warn({ resources }, 'something was not closed; the process is ended')
    process.exit()
  }, LEFTOVER_MS_MAX)
  timer.unref()
}
