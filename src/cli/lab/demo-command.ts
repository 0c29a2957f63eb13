import { type Command, Option } from 'commander'
import { runDemo } from '../../lab/demo/demo.ts'
import { DemoScreen } from '../../lab/demo/demo-screen.ts'
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

interface DemoFlags extends WanFlags, ShapeFlags {
  readonly flavor: string
  readonly seconds: string
  readonly rateTps: string
  readonly writers: string
  readonly keep?: boolean
  readonly json?: boolean
  readonly gateways: boolean
  readonly corruptSpool?: boolean
}

const RTT_MS_DEFAULT = '30'

/** `landbridge demo`: the main job under load, shown live and checked at the end. */
export function addDemoCommand(program: Command): void {
  const demo = program
    .command('demo')
    .summary('clouds on this machine, under load, compared at the end')
    .description(
      'Builds a lab, writes at every origin, shows what flows, and compares spools and replicas.',
    )
    .option('--seconds <seconds>', 'how long to write', '30')
    .option('--rate-tps <rate>', 'transactions per second of each stream', '400')
    .option('--writers <count>', 'concurrent connections', '8')
    .option('--keep', 'leave the lab running')
    .option('--json', 'one JSON object as the last line')
    .addOption(new Option('--corrupt-spool', 'break one byte of the spool').hideHelp())
    .addOption(new Option('--no-gateways', 'the lab alone').hideHelp())
  addWanFlags(addShapeFlags(addFlavor(demo))).action(async (flags: DemoFlags) => {
    const screen = flags.json === true ? errorOutput : output
    const options = {
      shape: parseShape(flags),
      flavor: parseFlavor(flags.flavor),
      seconds: positive('--seconds', flags.seconds),
      transactionsPerSecond: positive('--rate-tps', flags.rateTps),
      writers: positive('--writers', flags.writers),
      wan: parseWanFlags({ ...flags, rtt: flags.rtt ?? RTT_MS_DEFAULT }),
      keep: flags.keep === true,
      gateways: flags.gateways,
      corruptSpool: flags.corruptSpool === true,
      screen: new DemoScreen(screen),
    }
    const summary = await withStopSignal((signal) => runDemo({ ...options, signal }))
    if (flags.json === true) output.writeJson(summary)
    if (!summary.ok) process.exitCode = 1
  })
}
