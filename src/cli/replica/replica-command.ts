import { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { callOperation } from '../../api/admin-client.ts'
import { systemClock } from '../../base/clock.ts'
import { isLandbridgeError, LandbridgeError } from '../../base/errors.ts'
import { attachReplica, detachReplica, replicaFacts } from '../../database/attach.ts'
import type { AttachTarget } from '../../database/attach-statements.ts'
import type { DatabaseConfig } from '../../database/database-section.ts'
import { doesRun } from '../../database/replica-connection.ts'
import { MYSQL_THREADS_GRANT } from '../../database/replica-queries.ts'
import { loadConfig } from '../../gateway/config/load-config.ts'
import { loadPublicConfig } from '../../gateway/config/public-config.ts'
import { relayAddress } from '../../gateway/relay-address.ts'
import { findStreamIdentity, type StreamIdentity } from '../../gateway/stream-identity.ts'
import { loadTerm } from '../../gateway/term-file.ts'
import { ATTACH_GRANTS } from '../../mysql/grants.ts'
import { replicaKey } from '../../mysql/replica-name.ts'
import type { SqlLoginOptions } from '../../mysql/sql-login.ts'
import type { RelayConfig } from '../../relay/relay-section.ts'
import { ExitCode } from '../exit-code.ts'
import { withStopSignal } from '../terminal/stop-signal.ts'
import { output } from '../terminal/terminal.ts'
import { addressTowards, isWildcard, localRelayLogin } from './relay-login.ts'
import { type DetachReport, formatAttach, formatDetach, formatReplica } from './replica-report.ts'

interface ReplicaFlags {
  readonly config: string
  readonly stream?: string
  readonly relayHost?: string
  readonly relayCa?: string
  readonly channel?: string
  readonly acceptFilters?: boolean
  readonly clearFilters?: boolean
  readonly delay?: number
  readonly replace?: boolean
  readonly force?: boolean
  readonly dryRun?: boolean
  readonly showPassword?: boolean
  readonly waitSeconds: number
  readonly json?: boolean
}

/** `landbridge replica`: points the database of a copy at its gateway's relay, and away again. */
export function addReplicaCommand(program: Command): void {
  const replica = program
    .command('replica')
    .summary('attach the database of a copy to this gateway, or detach it')
    .description(
      'Handles the server that the configuration names under `database`, at a site that is a copy.',
    )
    .addHelpText(
      'after',
      `\nThe login at the replica needs:\n  MySQL    ${ATTACH_GRANTS.mysql.join(', ')} ON *.*\n` +
        `           ${MYSQL_THREADS_GRANT}\n  MariaDB  ${ATTACH_GRANTS.mariadb.join(', ')} ON *.*`,
    )
  addAttach(replica)
  addDetach(replica)
  addStatus(replica)
}

const ACCEPT_HELP = 'also when the replica leaves out data: it cannot take over'
const DELAY_HELP =
  'apply so late on purpose (default: as now if it follows this relay, at once if it did not)'
const RELEASE_MS_MAX = 5_000
const CHANNEL_HELP = 'make it as this channel or named connection; others are left alone'

function addCommon(command: Command): Command {
  return command
    .requiredOption('-c, --config <file>', 'configuration of the gateway at the copy')
    .option('--stream <name>', 'which stream; needed when there are several')
    .option('--json', 'print one JSON object')
}

function withRelayHost(command: Command): Command {
  const text = "the relay as the replica sees it (default: this machine's address towards it)"
  return command.option('--relay-host <host>', text)
}

function addAttach(replica: Command): void {
  withRelayHost(addCommon(replica.command('attach')))
    .summary('make the replica follow this relay')
    .option('--relay-ca <path>', "path on the replica's machine of a copy of certs/ca.crt")
    .option('--replace', 'also when the replica follows something else now')
    .option('--channel <name>', CHANNEL_HELP)
    .addOption(new Option('--accept-filters', ACCEPT_HELP).conflicts('clearFilters'))
    .option('--clear-filters', 'take back the filters of that connection; nothing may be missing')
    .option('--delay <seconds>', DELAY_HELP, delayOf)
    .option('--dry-run', 'print the SQL and what speaks against it; change nothing')
    .option('--show-password', 'print the password in the SQL')
    .option('--wait-seconds <n>', 'how long the replica may take to run', secondsOf, 20)
    .action((flags: ReplicaFlags) => withStopSignal((signal) => attach(flags, signal)))
}

function addDetach(replica: Command): void {
  withRelayHost(addCommon(replica.command('detach')))
    .argument('[id]', 'a replica as `landbridge status` names it; default: the configured one')
    .summary('stop replication at the replica and forget the relay')
    .description(
      'Stops replication at the configured replica and makes it forget the relay; the gateway' +
        ' then keeps no files for it. With an ID only the gateway forgets that replica. After a' +
        ' reset of the source, detach a replica only when it was restored from a newer backup.',
    )
    .option('--force', 'also when the replica follows something else')
    .option('--channel <name>', 'which connection --force ends (default: the one without a name)')
    .option('--dry-run', 'print the SQL; change nothing')
    .action((id: string | undefined, flags: ReplicaFlags) => {
      return withStopSignal((signal) => {
        return id === undefined ? detach(flags, signal) : forget(id, flags, signal)
      })
    })
}

function addStatus(replica: Command): void {
  addCommon(replica.command('status'))
    .summary('say what the replica follows and how it goes')
    .description('Exits with 1 when the replica does not follow this gateway, receive and apply.')
    .action((flags: ReplicaFlags) => withStopSignal((signal) => status(flags, signal)))
}

async function attach(flags: ReplicaFlags, signal: AbortSignal): Promise<void> {
  const { replica, relay, target } = await loginsOf(await settings(flags), flags, signal)
  const dryRun = flags.dryRun === true
  const result = await attachReplica(
    {
      replica,
      relay,
      target,
      dryRun,
      replace: flags.replace === true,
      filters: flags.acceptFilters ? 'accept' : flags.clearFilters ? 'clear' : 'refuse',
      ...(flags.delay !== undefined && { delaySeconds: flags.delay }),
      ...(flags.channel !== undefined && { channel: flags.channel }),
      waitMs: flags.waitSeconds * 1000,
      clock: systemClock,
    },
    signal,
  )
  const statements = result.statements.map(({ sql, shown }) => (flags.showPassword ? sql : shown))
  const report = { ...result, statements, dryRun }
  // Without --dry-run that is an error.
  const isRefused = result.findings.some(({ severity }) => severity === 'error')
  print(flags, { ok: !isRefused, ...report }, formatAttach)
  if (isRefused) process.exitCode = ExitCode.Failure
}

async function detach(flags: ReplicaFlags, signal: AbortSignal): Promise<void> {
  const chosen = await settings(flags)
  const { stream, socketPath } = chosen
  const { replica, target } = await loginsOf(chosen, flags, signal)
  const dryRun = flags.dryRun === true
  const force = flags.force === true
  const channel = flags.channel === undefined ? {} : { channel: flags.channel }
  const result = await detachReplica({ replica, target, dryRun, force, ...channel }, signal)
  const statements = result.statements.map(({ shown }) => shown)
  const id = replicaKey(result.replica)
  const kept = dryRun ? null : await release(socketPath, { stream, id }, signal)
  const report = { action: result.action, statements, dryRun, kept }
  print(flags, { ok: true, ...report }, formatDetach)
}

/** A replica that this gateway has no login at: nothing is done there. */
async function forget(id: string, flags: ReplicaFlags, signal: AbortSignal): Promise<void> {
  const config = await loadPublicConfig(flags.config)
  const dryRun = flags.dryRun === true
  const replica = { stream: streamOf(config.streams, flags).name, id }
  const isKnown = dryRun ? null : await forgetReplica(config.admin.socketPath, replica, signal)
  const text =
    isKnown === null
      ? 'dry run: nothing was changed'
      : isKnown
        ? `the gateway forgot replica ${id}`
        : `the gateway keeps nothing for a replica ${id}`
  print(flags, { ok: true, action: 'forget', dryRun, isKnown }, () => `${text}\n`)
}

/** The gateway keeps no files for it any more. False when it kept none. */
async function forgetReplica(
  socketPath: string,
  { stream, id }: { readonly stream: string; readonly id: string },
  signal: AbortSignal,
): Promise<boolean> {
  const operation = { name: 'replica.release', permission: 'operate' } as const
  const input = { stream, replica: id }
  const answer = await callOperation<{ readonly released: boolean }>(socketPath, operation, input, {
    signal,
    silentMsMax: RELEASE_MS_MAX,
  })
  return answer.released
}

/** Also when the replica had been detached already: what was kept for it may still be kept. */
async function release(
  socketPath: string,
  replica: { readonly stream: string; readonly id: string },
  signal: AbortSignal,
): Promise<DetachReport['kept']> {
  try {
    return (await forgetReplica(socketPath, replica, signal)) ? 'released' : 'nothing'
  } catch (error) {
    if (isLandbridgeError(error)) return 'unknown'
    throw error
  }
}

async function status(flags: ReplicaFlags, signal: AbortSignal): Promise<void> {
  const { replica, relay, identity } = await settings(flags)
  const address = relayAddress(relay, identity)
  const facts = await replicaFacts({ role: 'replica', ...replica }, address, signal)
  const ok = facts.following !== null && doesRun(facts.following)
  print(flags, { ok, replica: facts }, ({ replica }) => formatReplica(replica))
  if (!ok) process.exitCode = ExitCode.Failure
}

function print<T extends object>(flags: ReplicaFlags, body: T, view: (plain: T) => string): void {
  output.show(flags, { schema: 1, ...body }, view)
}

interface Settings {
  readonly stream: string
  readonly socketPath: string
  readonly replica: DatabaseConfig
  readonly relay: RelayConfig
  readonly identity: StreamIdentity | null
}

interface Logins {
  readonly replica: SqlLoginOptions
  readonly relay: SqlLoginOptions
  readonly target: AttachTarget
}

function streamOf<Stream extends { readonly name: string }>(
  streams: readonly Stream[],
  flags: ReplicaFlags,
): Stream {
  const named = streams.filter(({ name }) => name === (flags.stream ?? name))
  const [stream] = named
  if (stream !== undefined && named.length === 1) return stream
  const names = streams.map(({ name }) => name).join(', ')
  throw usage('it is not clear which stream is meant', `say it with --stream: ${names}`)
}

async function settings(flags: ReplicaFlags): Promise<Settings> {
  const config = await loadConfig(flags.config)
  const stream = streamOf(config.streams, flags)
  const { name, relay, database: replica } = stream
  const { record } = await loadTerm({ ...config, stream })
  if (record.origin === config.site) {
    throw usage(
      `${config.site} is the origin of stream ${name}: its database follows nobody`,
      'ask at the gateway of a copy',
    )
  }
  if (relay === null) {
    throw usage(
      `stream ${name} has no relay in ${flags.config}`,
      'add the `relay:` section that the example has: gateway/README.md, "Two roles"',
    )
  }
  if (replica === null) {
    throw usage(
      `stream ${name} has no database in ${flags.config}`,
      'add the `database:` section that the example has: gateway/README.md, "The replica"',
    )
  }
  const identity = await findStreamIdentity(config.dataDir, name)
  return { stream: name, socketPath: config.admin.socketPath, relay, replica, identity }
}

async function loginsOf(
  { relay, replica, identity }: Settings,
  flags: ReplicaFlags,
  signal: AbortSignal,
): Promise<Logins> {
  const { listen, password } = relay
  const own = () => (isWildcard(relay) ? addressTowards(replica, signal) : listen.host)
  const host = flags.relayHost ?? (await own())
  return {
    replica: { role: 'replica', ...replica },
    relay: localRelayLogin(relay),
    target: {
      ...relayAddress(relay, identity),
      host,
      password,
      caPath: flags.relayCa ?? null,
      isNamed: (name) => isNamed(relay.certificatePem, name),
    },
  }
}

function isNamed(certificatePem: string, host: string): boolean {
  const certificate = new X509Certificate(certificatePem)
  const name = isIP(host) === 0 ? certificate.checkHost(host) : certificate.checkIP(host)
  return name !== undefined
}

function usage(message: string, remedy: string): LandbridgeError {
  return new LandbridgeError('ERR_USAGE', message, { remedy })
}

/** As long as both flavours allow. */
const DELAY_SECONDS_MAX = 2 ** 31 - 1

function delayOf(text: string): number {
  const seconds = Number(text)
  if (!/^\d+$/.test(text) || seconds > DELAY_SECONDS_MAX) {
    throw new InvalidArgumentError(`A whole number of seconds up to ${DELAY_SECONDS_MAX}.`)
  }
  return seconds
}

function secondsOf(text: string): number {
  const seconds = Number(text)
  if (!(seconds >= 1 && seconds <= 3600)) throw new InvalidArgumentError('1 to 3600 seconds.')
  return seconds
}
