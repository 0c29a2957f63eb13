import { parseArgs } from 'node:util'
import type { Flavor } from '../../src/base/flavor.ts'
import { measure } from './measure.ts'
import { reportText } from './report.ts'
import { measureThrottle, throttleText } from './throttle/report.ts'

const USAGE = `usage: npm run bench -- [--flavor mariadb|mysql|both] [--megabytes 500] [--rounds 5]
                        [--json]
       npm run bench -- throttle [--seconds 20] [--json]

Compares with \`mysqlbinlog --read-from-remote-server --raw\` from the same source in the same run,
alternating; prints medians and ratios (above 1: faster than mysqlbinlog). With --json the last
line is the report, one line for each flavor.

\`throttle\`: how exactly five limits are kept, and what a second flow through the tunnel of a lab
takes beside a stream that yields, and beside one that does not. --seconds: of each measurement.
`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '20' },
    flavor: { type: 'string', default: 'mariadb' },
    megabytes: { type: 'string', default: '500' },
    rounds: { type: 'string', default: '5' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

function flavorsOf(value: string): readonly Flavor[] {
  if (value === 'both') return ['mariadb', 'mysql']
  return value === 'mariadb' || value === 'mysql' ? [value] : []
}

async function main(): Promise<void> {
  const flavors = flavorsOf(values.flavor)
  const [megabytes, rounds] = [Number(values.megabytes), Number(values.rounds)]
  if (values.help) {
    process.stdout.write(USAGE)
    return
  }
  if (flavors.length === 0 || !(megabytes > 0) || !(rounds > 0)) {
    process.stderr.write(USAGE)
    process.exitCode = 2
    return
  }
  const [what = 'copy', ...more] = positionals
  const seconds = Number(values.seconds)
  if (!['copy', 'throttle'].includes(what) || more.length > 0 || !(seconds >= 12)) {
    process.stderr.write(USAGE)
    process.exitCode = 2
    return
  }
  const stopping = new AbortController()
  const { signal } = stopping
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stopping.abort())
  const say = (text: string): void => void process.stderr.write(`${text}\n`)
  try {
    if (what === 'throttle') {
      const [flavor = 'mariadb'] = flavors
      const report = await measureThrottle({ flavor, seconds, say, signal })
      process.stdout.write(values.json ? `${JSON.stringify(report)}\n` : throttleText(report))
      return
    }
    for (const flavor of flavors) {
      const report = await measure({ flavor, megabytes, rounds, say, signal })
      process.stdout.write(values.json ? `${JSON.stringify(report)}\n` : reportText(report))
    }
  } catch (error) {
    if (!signal.aborted) throw error
    process.exitCode = 1
  }
}

await main()
