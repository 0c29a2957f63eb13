import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { Argument, type Command, Option } from 'commander'
import { LandbridgeError } from '../../base/errors.ts'
import type { Flavor } from '../../base/flavor.ts'
import { isRunning } from '../../lab/hosts/lab-process.ts'
import { onHost } from '../../lab/hosts/namespaces.ts'
import {
  changeWan,
  killLabProcess,
  processesNamed,
  startLabProcess,
} from '../../lab/lab-control.ts'
import { describeLab, describeLabText, wanLines } from '../../lab/lab-description.ts'
import { downLab } from '../../lab/lab-down.ts'
import { lockOwner, withLabLock } from '../../lab/lab-lock.ts'
import { labPaths } from '../../lab/lab-paths.ts'
import { type LabShape, labShape, PROCESSES } from '../../lab/lab-shape.ts'
import { HOSTS, hostsOf, isHostName, isSiteName, SITES } from '../../lab/lab-sites.ts'
import { listLabs, processNames, readState, requireState } from '../../lab/lab-state.ts'
import { upLab } from '../../lab/lab-up.ts'
import {
  describeWan,
  parseBetween,
  parseWanFlags,
  type WanFlags,
} from '../../lab/wan/wan-settings.ts'
import { withStopSignal } from '../terminal/stop-signal.ts'
import { errorOutput, output } from '../terminal/terminal.ts'
import { addLabLoadCommands } from './lab-load-command.ts'

const SIGNALS = [
  ...(['SIGKILL', 'SIGTERM', 'SIGINT', 'SIGHUP'] as const),
  ...(['SIGSTOP', 'SIGCONT', 'SIGUSR1'] as const),
] as const

interface NameFlags {
  readonly name: string
  readonly json?: boolean
}

/** `landbridge lab`: two clouds on one machine. */
export function addLabCommand(program: Command): void {
  const lab = program
    .command('lab')
    .summary('several clouds on this machine, for trying and testing')
    .description('Builds and handles labs: clouds with real servers in network namespaces.')
  addUp(lab)
  addStatus(lab)
  addList(lab)
  addExec(lab)
  addWan(lab)
  addKill(lab)
  addStart(lab)
  addLabLoadCommands(lab)
  addDown(lab)
}

export function addName(command: Command): Command {
  return command.option('--name <lab>', 'which lab', 'main')
}

export function addWanFlags(command: Command): Command {
  return command
    .option('--rtt <ms>', 'round trip of the WAN: half of it each way')
    .option('--jitter <ms>', 'up to so much more or less, each way')
    .option('--loss <percent>', 'packets lost, each way')
    .option('--rate <rate>', 'such as 50mbit, each way; none is no limit')
}

export function addFlavor(command: Command): Command {
  const flavor = new Option('--flavor <flavor>', 'which kind of databases')
  const choices = flavor.choices(['mariadb', 'mysql']).argParser(String)
  return command.addOption(choices.default('mariadb'))
}

export function parseFlavor(text: string): Flavor {
  if (text === 'mariadb' || text === 'mysql') return text
  throw new LandbridgeError('ERR_USAGE', `--flavor ${text} is not mariadb or mysql`)
}

export interface ShapeFlags {
  readonly sites: string
  readonly streams: string
  readonly origin?: string
}

export function addShapeFlags(command: Command): Command {
  return command
    .option('--sites <count>', `how many: ${SITES.join(', ')}`, '2')
    .option('--streams <count>', '2: one goes the other way, each with databases of its own', '1')
    .addOption(
      new Option('--origin <site>', 'of the first stream; default: the first site')
        .choices(SITES)
        .argParser(String),
    )
}

export function parseShape({ sites, streams, origin }: ShapeFlags): LabShape {
  const counts = { sites: Number(sites), streams: Number(streams) }
  if (origin === undefined) return labShape(counts)
  if (isSiteName(origin)) return labShape({ ...counts, origin })
  throw new LandbridgeError('ERR_USAGE', `--origin ${origin} is none of ${SITES.join(', ')}`)
}

function addUp(lab: Command): void {
  const up = lab
    .command('up')
    .summary('build a lab and wait until data flows')
    .option('--no-gateways', 'databases and WAN only; replicas read from the sources themselves')
    .option('--json', 'print all that is needed to use it')
  addWanFlags(addShapeFlags(addName(addFlavor(up)))).action(
    async (flags: NameFlags & WanFlags & ShapeFlags & { flavor: string; gateways: boolean }) => {
      const paths = labPaths(flags.name)
      const options = {
        paths,
        shape: parseShape(flags),
        flavor: parseFlavor(flags.flavor),
        wan: parseWanFlags(flags),
        gateways: flags.gateways,
        progress: (line: string) => errorOutput.write(`${line}\n`),
      }
      await withStopSignal(async (signal) => {
        const { state, already } = await upLab({ ...options, signal })
        if (already) options.progress(`the lab ${paths.name} is up already`)
        const description = await describeLab(paths, state)
        output.show(flags, description, describeLabText)
      })
    },
  )
}

function addStatus(lab: Command): void {
  const status = lab
    .command('status')
    .summary('what a lab has, and whether all of it runs')
    .option('--json', 'print one JSON object')
  addName(status).action(async (flags: NameFlags) => {
    const paths = labPaths(flags.name)
    const description = await describeLab(paths, await requireState(paths))
    output.show(flags, description, describeLabText)
    if (!description.ok) process.exitCode = 1
  })
}

function addList(lab: Command): void {
  lab
    .command('list')
    .summary('the labs on this machine')
    .option('--json', 'print one JSON array')
    .action(async (flags: { json?: boolean }) => {
      const labs = await Promise.all(
        (await listLabs()).map(async (name) => {
          const paths = labPaths(name)
          const state = await readState(paths)
          const names = state === null ? [] : processNames(state)
          const dead = names.filter((one) => {
            const record = state?.processes[one]
            return record === undefined || !isRunning(record)
          })
          const whole = state?.phase === 'up' && dead.length === 0
          const busy = (await lockOwner(paths)) !== null
          const phase = whole ? 'up' : busy ? 'busy' : 'half'
          return { name, flavor: state?.flavor ?? null, state: phase, notRunning: dead }
        }),
      )
      output.show(flags, labs, (plain) => {
        const lines = plain.map((one) => `${one.name}  ${one.flavor ?? '?'}  ${one.state}\n`)
        return lines.length === 0 ? 'no labs\n' : lines.join('')
      })
    })
}

function addExec(lab: Command): void {
  const exec = lab
    .command('exec')
    .summary('run a command on a host of a lab')
    .addArgument(new Argument('<host>', HOSTS.join(', ')).choices(HOSTS).argParser(String))
    .argument('<command...>', 'after --')
  addName(exec).action(async (host: string, command: string[], flags: NameFlags) => {
    if (!isHostName(host)) {
      throw new LandbridgeError('ERR_USAGE', `${host} is not a host: ${HOSTS.join(', ')}`)
    }
    const paths = labPaths(flags.name)
    const { sites } = await requireState(paths)
    if (!hostsOf(sites).includes(host)) {
      throw new LandbridgeError('ERR_USAGE', `the lab ${flags.name} was made without ${host}`)
    }
    const [program = '', ...rest] = [...onHost(paths, host), ...command]
    const child = spawn(program, rest, { stdio: 'inherit' })
    // Ctrl-C reaches the child by itself; this process only passes its exit code on.
    const ignore = () => undefined
    process.on('SIGINT', ignore)
    const [code, signal] = (await once(child, 'exit')) as [number | null, string | null]
    process.off('SIGINT', ignore)
    process.exitCode = code ?? (signal === null ? 1 : 128)
  })
}

function addWan(lab: Command): void {
  const wan = lab
    .command('wan')
    .summary('change the WAN between the sites, or say how it is')
    .option('--between <sites>', 'only between these two, as ec2,azure; default: all')
    .option('--delay <ms>', 'one way')
    .option('--reorder <percent>', 'packets that overtake the delayed ones')
    .option('--queue <bytes>', 'what may wait for its turn at the rate')
    .option('--cut', 'nothing passes')
    .option('--heal', 'ends a cut, a black hole and a size limit; the rest stays')
    .addOption(
      new Option('--blackhole <direction>', 'a-to-b (from the first site of a pair), b-to-a, none')
        .choices(['a-to-b', 'b-to-a', 'none'])
        .argParser(String),
    )
    .option('--drop-above <bytes>', 'datagrams larger than this vanish; none ends it')
    .option('--json', 'print one JSON object')
  type BetweenFlags = NameFlags & WanFlags & { readonly between?: string }
  addWanFlags(addName(wan)).action(async (flags: BetweenFlags) => {
    const between = flags.between === undefined ? null : parseBetween(flags.between)
    const report = await changeWan(labPaths(flags.name), parseWanFlags(flags), between)
    output.show(flags, report, (one) => wanLines(one, ({ settings }) => describeWan(settings)))
  })
}

function addKill(lab: Command): void {
  const kill = lab
    .command('kill')
    .summary('send a signal to a process of a lab')
    .addArgument(processArgument())
    .addOption(
      new Option('--signal <name>', 'which').choices(SIGNALS).argParser(String).default('SIGKILL'),
    )
    .option('--json', 'print one JSON object')
  addName(kill).action(async (what: string, flags: NameFlags & { signal: string }) => {
    const signal = parseSignal(flags.signal)
    const paths = labPaths(flags.name)
    for (const process of processesNamed(await requireState(paths), what)) {
      const result = await killLabProcess(paths, process, signal)
      const ended = result.ended ? ', which has ended' : ''
      output.show(
        flags,
        { process, signal, ...result },
        ({ pid }) => `${signal} to ${process}, pid ${pid}${ended}\n`,
      )
    }
  })
}

function parseSignal(text: string): NodeJS.Signals {
  const name = text.startsWith('SIG') ? text : `SIG${text}`
  const signal = SIGNALS.find((one) => one === name)
  if (signal !== undefined) return signal
  throw new LandbridgeError('ERR_USAGE', `--signal ${text} is not one of: ${SIGNALS.join(', ')}`)
}

/** Completed as one of these; whoever parses it judges, and says what is wrong. */
function processArgument(): Argument {
  const text = 'SITE-gateway, SITE-db (of several streams SITE-db-STREAM), wan, or a host'
  return new Argument('<what>', text)
    .choices([...new Set([...PROCESSES, ...HOSTS])])
    .argParser(String)
}

function addStart(lab: Command): void {
  const start = lab
    .command('start')
    .summary('start a process of a lab that was killed')
    .addArgument(processArgument())
    .option('--json', 'print one JSON object')
  addName(start).action(async (what: string, flags: NameFlags) => {
    const paths = labPaths(flags.name)
    for (const process of processesNamed(await requireState(paths), what)) {
      const { record, already } = await startLabProcess(paths, process)
      const text = `${process} ${already ? 'is running already' : 'started'}, pid ${record.pid}\n`
      output.show(flags, { process, pid: record.pid, already }, () => text)
    }
  })
}

function addDown(lab: Command): void {
  const down = lab
    .command('down')
    .summary('end a lab and remove all of it')
    .option('--all', 'every lab of this machine')
    .option('--json', 'print one JSON object')
  addName(down).action(async (flags: NameFlags & { all?: boolean }) => {
    const found = await listLabs()
    const labs = (flags.all === true ? found : [flags.name]).map((name) => {
      return { name, already: !found.includes(name) }
    })
    for (const { name } of labs) {
      const paths = labPaths(name)
      await withLabLock(paths, () => downLab(paths))
      errorOutput.write(`the lab ${name} is gone\n`)
    }
    output.show(flags, { labs }, () => '')
  })
}
