import { type Command, Option } from 'commander'
import { z } from 'zod'
import { checkedInput } from '../../api/operation-table.ts'
import { systemClock } from '../../base/clock.ts'
import { LandbridgeError } from '../../base/errors.ts'
import { MYSQL_THREADS_GRANT } from '../../database/replica-queries.ts'
import {
  type AttachAnswer,
  attachInput,
  attachOutput,
  type DetachAnswer,
  detachInput,
  detachOutput,
  statusOutput,
} from '../../gateway/replica-schemas.ts'
import {
  attachAnswer,
  attachAt,
  detachAnswer,
  detachAt,
  type ReplicaContext,
  statusAt,
} from '../../gateway/replica-work.ts'
import { chooseStream } from '../../gateway/stream-choice.ts'
import { ATTACH_GRANTS } from '../../mysql/grants.ts'
import { ExitCode } from '../exit-code.ts'
import { type AskFlags, addAsking, askGateway, NO_GATEWAY } from '../operation/gateway-call.ts'
import { withStopSignal } from '../terminal/stop-signal.ts'
import { output } from '../terminal/terminal.ts'
import { placeHere } from './place-here.ts'
import { channelOf, delayOf, hostOf, pathOf, secondsOf } from './replica-flags.ts'
import { formatAttach, formatDetach, formatReplica } from './replica-report.ts'

interface ReplicaFlags extends AskFlags {
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
}

/** `landbridge replica`: points the database of a copy at its gateway's relay, and away again. */
export function addReplicaCommand(program: Command): void {
  const replica = program
    .command('replica')
    .summary('attach the database of a copy to its gateway, or detach it')
    .description(
      'Asks the gateway of a copy to handle the server that its configuration names under' +
        ' `database`. To attach and to detach is for root and the user of the gateway, and for' +
        ' peers whose file says `permission: operate`.',
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
const CHANNEL_HELP = 'make it as this channel or named connection; others are left alone'
const FORCED_HELP = 'which connection --force ends (default: the one without a name)'
const PASSWORD_HELP = 'with --dry-run: read the configuration here, and print the password too'
/** Beside the time that the threads may take: for logins that have to wait. */
const SILENT_MS_MAX = 150_000

function addCommon(command: Command): Command {
  const text = 'which stream; needed when there are several'
  return addAsking(command).option('--stream <name>', text)
}

function withRelayHost(command: Command): Command {
  const text = "the relay as the replica sees it (default: the gateway's address towards it)"
  return command.option('--relay-host <host>', text, hostOf)
}

function addAttach(replica: Command): void {
  withRelayHost(addCommon(replica.command('attach')))
    .summary('make the replica follow the relay of its gateway')
    .option('--relay-ca <path>', "path on the replica's machine of a copy of certs/ca.crt", pathOf)
    .option('--replace', 'also when the replica follows something else now')
    .option('--channel <name>', CHANNEL_HELP, channelOf)
    .addOption(new Option('--accept-filters', ACCEPT_HELP).conflicts('clearFilters'))
    .option('--clear-filters', 'take back the filters of that connection; nothing may be missing')
    .option('--delay <seconds>', DELAY_HELP, delayOf)
    .option('--dry-run', 'print the SQL and what speaks against it; change nothing')
    .option('--show-password', PASSWORD_HELP)
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
    .option('--channel <name>', FORCED_HELP, channelOf)
    .option(
      '--dry-run',
      'print the SQL; with an ID see that the gateway can be asked; change nothing',
    )
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
  const { relayHost, relayCa, channel, delay, waitSeconds } = flags
  const dryRun = flags.dryRun === true
  const attaching = { name: 'replica.attach', permission: 'operate', input: attachInput } as const
  const input = checkedInput(attaching, {
    ...{ stream: flags.stream, relayHost, relayCa, channel, waitSeconds, dryRun },
    delaySeconds: delay,
    replace: flags.replace === true,
    filters: flags.acceptFilters ? 'accept' : flags.clearFilters ? 'clear' : 'refuse',
  })
  const here = async (path: string): Promise<AttachAnswer> => {
    const result = await attachAt(await placeHere(path, input.stream), input, contextOf(signal))
    const texts = result.statements.map(({ sql, shown }) => (flags.showPassword ? sql : shown))
    return attachAnswer(result, input, texts)
  }
  const asking = async () => {
    if (flags.showPassword) return { output: await here(fileOfSecrets(flags)) }
    const silentMsMax = waitSeconds * 1000 + SILENT_MS_MAX
    const question = { ...attaching, input, silentMsMax, output: attachOutput }
    // A replica of a gateway that does not run would follow nothing.
    const alone = dryRun ? here : null
    return await askGateway(flags, { ...question, here: alone }, signal)
  }
  const { output: answer, ...how } = await asking()
  print(flags, { ...answer, ...how }, formatAttach)
  if (!answer.ok) process.exitCode = ExitCode.Failure
}

async function detach(flags: ReplicaFlags, signal: AbortSignal): Promise<void> {
  const { stream, relayHost, channel } = flags
  const switches = { force: flags.force === true, dryRun: flags.dryRun === true }
  const detaching = { name: 'replica.detach', permission: 'operate', input: detachInput } as const
  const input = checkedInput(detaching, { stream, relayHost, channel, ...switches })
  const here = async (path: string): Promise<DetachAnswer> => {
    const place = await placeHere(path, stream)
    const result = await detachAt(place, input, contextOf(signal))
    return detachAnswer(result, input, input.dryRun ? null : 'unknown')
  }
  const question = { ...detaching, input, silentMsMax: SILENT_MS_MAX, output: detachOutput, here }
  const { output: answer, ...how } = await askGateway(flags, question, signal)
  print(flags, { ok: true, ...answer, ...how }, formatDetach)
}

/** A replica that this gateway has no login at: nothing is done there. */
async function forget(id: string, flags: ReplicaFlags, signal: AbortSignal): Promise<void> {
  const dryRun = flags.dryRun === true
  if (dryRun) await findStream(flags, signal)
  const isKnown = dryRun ? null : await forgetReplica(id, flags, signal)
  const text =
    isKnown === null
      ? 'dry run: nothing was changed'
      : isKnown
        ? `the gateway forgot replica ${id}`
        : `the gateway keeps nothing for a replica ${id}`
  print(flags, { ok: true, action: 'forget', dryRun, isKnown }, () => `${text}\n`)
}

/** Throws where there is no gateway to ask, or it has no such stream. */
async function findStream(flags: ReplicaFlags, signal: AbortSignal): Promise<void> {
  const question = { name: 'status', permission: 'read', input: {}, here: null } as const
  const { output: seen } = await askGateway(flags, { ...question, output: streamsOutput }, signal)
  chooseStream(seen.streams, flags.stream)
}

const streamsOutput = z.object({ streams: z.array(z.object({ name: z.string() })) })

/** The gateway keeps no files for it any more. False when it kept none. */
async function forgetReplica(
  id: string,
  flags: ReplicaFlags,
  signal: AbortSignal,
): Promise<boolean> {
  const question = { name: 'replica.release', permission: 'operate' } as const
  const input = { stream: flags.stream, replica: id }
  const asked = { ...question, input, output: releaseOutput, here: null }
  return (await askGateway(flags, asked, signal)).output.released
}

const releaseOutput = z.object({ released: z.boolean() })

async function status(flags: ReplicaFlags, signal: AbortSignal): Promise<void> {
  const here = async (path: string) => statusAt(await placeHere(path, flags.stream), signal)
  const question = { name: 'replica.status', permission: 'read' } as const
  const asked = { ...question, input: { stream: flags.stream }, output: statusOutput, here }
  const { output: answer, ...how } = await askGateway(
    flags,
    { ...asked, silentMsMax: SILENT_MS_MAX },
    signal,
  )
  print(flags, { ...answer, ...how }, ({ replica }) => formatReplica(replica))
  if (!answer.ok) process.exitCode = ExitCode.Failure
}

function print<T extends { readonly ok: boolean; readonly gatewayAnswers?: boolean }>(
  flags: ReplicaFlags,
  body: T,
  view: (plain: T) => string,
): void {
  output.show(flags, { schema: 1, ...body }, (plain) => {
    return `${view(plain)}${plain.gatewayAnswers === false ? NO_GATEWAY : ''}`
  })
}

function contextOf(signal: AbortSignal): ReplicaContext {
  return { signal, clock: systemClock, onStep: () => undefined }
}

/** No gateway tells a password: whoever may read the file has it. */
function fileOfSecrets({ config, socket, peer, dryRun }: ReplicaFlags): string {
  if (config !== undefined && socket === undefined && peer === undefined && dryRun) return config
  throw new LandbridgeError('ERR_USAGE', '--show-password goes with --dry-run and --config alone', {
    remedy: 'The gateway tells nobody a password; it is in the file of `relay.passwordFile`.',
  })
}
