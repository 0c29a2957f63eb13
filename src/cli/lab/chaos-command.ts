import type { Command } from 'commander'
import { runChaos } from '../../lab/chaos/chaos-run.ts'
import { faultText } from '../../lab/chaos/fault.ts'
import { faultNames, planFaults, type ScheduleOptions } from '../../lab/chaos/schedule.ts'
import { labPaths } from '../../lab/lab-paths.ts'
import { labShape } from '../../lab/lab-shape.ts'
import { parseWanFlags, type WanFlags } from '../../lab/wan/wan-settings.ts'
import { withStopSignal } from '../terminal/stop-signal.ts'
import { errorOutput, output } from '../terminal/terminal.ts'
import {
  addFlavor,
  addShapeFlags,
  addWanFlags,
  parseFlavor,
  parseShape,
  type ShapeFlags,
} from './lab-command.ts'
import { positive } from './lab-load-command.ts'

interface ChaosFlags extends WanFlags, ShapeFlags {
  readonly flavor: string
  readonly minutes: string
  readonly seed?: string
  readonly scale: string
  readonly only?: string
  readonly rateTps: string
  readonly writers: string
  readonly name?: string
  readonly plan?: boolean
  readonly json?: boolean
  readonly soak?: boolean
  readonly keepOnFailure?: boolean
}

const RTT_MS_DEFAULT = '30'
const TWO_SITES = faultNames(labShape({ sites: 2, streams: 1 }))

/** `landbridge chaos`: faults at random under load, then every transaction is counted. */
export function addChaosCommand(program: Command): void {
  const chaos = program
    .command('chaos')
    .summary('break a lab at random under load, then count every transaction')
    .description(
      'Builds a lab, writes at every origin, injects faults from a seed until time is up, heals, ' +
        'waits, and checks that every acknowledged transaction is in every spool and on every ' +
        `replica exactly once, in order.\n\nFaults with two sites: ${TWO_SITES.join(', ')}.`,
    )
    .option('--minutes <minutes>', 'how long to break things', '2')
    .option('--seed <number>', 'the same seed plans the same faults; default: the time')
    .option('--scale <factor>', 'faults last this much of what they do in the field', '0.15')
    .option('--only <names>', 'only faults whose names begin so, with commas between')
    .option('--rate-tps <rate>', 'transactions per second of each stream', '80')
    .option('--writers <count>', 'concurrent connections', '6')
    .option('--soak', `cuts of the WAN as long as in the field; memory must end where it began`)
    .option('--name <lab>', 'name of the lab; default chaos-FLAVOR')
    .option('--plan', 'print what would happen, do nothing')
    .option('--keep-on-failure', 'leave the lab as it is when something is missing')
    .option('--json', 'one JSON object as the last line')
  addWanFlags(addShapeFlags(addFlavor(chaos))).action(run)
}

/** `--soak` stands for the two flags that say the same. */
function kindsOf({ soak, scale, only }: ChaosFlags): Pick<ScheduleOptions, 'scale' | 'only'> {
  if (soak === true) return { scale: 1, only: ['wan cut'] }
  return {
    scale: positive('--scale', scale),
    ...(only === undefined ? {} : { only: only.split(',') }),
  }
}

async function run(flags: ChaosFlags): Promise<void> {
  const schedule = {
    shape: parseShape(flags),
    seed: flags.seed === undefined ? Date.now() % 1_000_000 : positive('--seed', flags.seed),
    seconds: positive('--minutes', flags.minutes) * 60,
    ...kindsOf(flags),
  }
  if (flags.plan === true) {
    output.show(flags, { seed: schedule.seed, steps: planFaults(schedule) }, formatPlan)
    return
  }
  const flavor = parseFlavor(flags.flavor)
  const screen = flags.json === true ? errorOutput : output
  const options = {
    ...schedule,
    flavor,
    paths: labPaths(flags.name ?? `chaos-${flavor}`),
    transactionsPerSecond: positive('--rate-tps', flags.rateTps),
    writers: positive('--writers', flags.writers),
    wan: parseWanFlags({ ...flags, rtt: flags.rtt ?? RTT_MS_DEFAULT }),
    steadyMemory: flags.soak === true,
    keepOnFailure: flags.keepOnFailure === true,
    say: (line: string) => screen.write(`${line}\n`),
  }
  const summary = await withStopSignal((signal) => runChaos({ ...options, signal }))
  if (flags.json === true) output.writeJson(summary)
  if (!summary.ok) process.exitCode = 1
}

interface Plan {
  readonly seed: number
  readonly steps: ReturnType<typeof planFaults>
}

function formatPlan({ seed, steps }: Plan): string {
  const lines = steps.flatMap(({ atMs, faults }) =>
    faults.map(({ fault, offsetMs }) => {
      const at = ((atMs + offsetMs) / 1_000).toFixed(1).padStart(7)
      return `[${at} s] ${faultText(fault)}`
    }),
  )
  return `seed ${seed}\n${lines.join('\n')}\n`
}
