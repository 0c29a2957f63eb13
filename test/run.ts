/**
 * The test command: every kind of check as a step of its own, streamed, timed and counted.
 *
 *     npm test                              everything
 *     npm test -- --only unit,integration   some steps
 *     npm test -- --long                    what takes long too, or LANDBRIDGE_LONG=1
 *
 * The last line is exactly `N passed, N failed, N skipped`; what was skipped is named above it.
 */
import { StepRunner } from './helpers/step-runner.ts'
import { parseMissing, STEPS, selectSteps } from './helpers/steps.ts'

const EXIT_USAGE = 2

async function main(args: readonly string[]): Promise<number> {
  const selected = selectSteps(args, process.env)
  if ('problem' in selected) {
    process.stderr.write(`error: ${selected.problem}\n  remedy: --only takes ${stepNames()}\n`)
    return EXIT_USAGE
  }
  const missing = parseMissing(process.env.LANDBRIDGE_MISSING)
  const runner = new StepRunner({ missing, long: selected.long })
  for (const step of selected.steps) await runner.run(step)
  return runner.finish()
}

function stepNames(): string {
  return STEPS.map(({ name }) => name).join(',')
}

process.exitCode = await main(process.argv.slice(2))
