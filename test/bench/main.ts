import { parseArgs } from 'node:util'
import type { Flavor } from '../../src/base/flavor.ts'
import { measure } from './measure.ts'
import { reportText } from './report.ts'

const USAGE = `usage: npm run bench -- [--flavor mariadb|mysql|both] [--megabytes 500] [--rounds 5]
                        [--json]

Compares with \`mysqlbinlog --read-from-remote-server --raw\` from the same source in the same run,
alternating; prints medians and ratios (above 1: faster than mysqlbinlog). With --json the last
line is the report, one line for each flavor.
`

const { values } = parseArgs({
  options: {
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
  const stopping = new AbortController()
  const { signal } = stopping
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stopping.abort())
  const say = (text: string): void => void process.stderr.write(`${text}\n`)
  try {
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
