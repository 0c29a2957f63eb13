/**
 * The test command: every kind of check as a step of its own, streamed, timed and counted.
 *
 *     npm test                              an ordinary run
 *     npm test -- --only unit,alone         some steps, or projects within them
 *     npm test -- --changed                 what your uncommitted changes can affect
 *     npm test -- --changed=main            what the changes since a git revision can affect
 *     npm test -- --long                    only what moves gigabytes
 *     npm test -- --docker                  only the image, on a real Docker engine
 *
 * A file that fails is run once more, alone; if it passes then, it is named as FLAKY. The last line
 * is exactly `N passed, N failed, N skipped`; what was skipped is named above it.
 */
import { affectedFiles } from './helpers/runner/affected-files.ts'
import { StepRunner } from './helpers/runner/step-runner.ts'
import { ASKED_STEPS, selectSteps, stepNames } from './helpers/runner/steps.ts'

const EXIT_USAGE = 2

async function main(args: readonly string[]): Promise<number> {
  const selected = selectSteps(args)
  if ('problem' in selected) {
    const remedy = `--only takes ${stepNames().join(',')}; see also --changed, --long, --docker`
    process.stderr.write(`error: ${selected.problem}\n  remedy: ${remedy}\n`)
    return EXIT_USAGE
  }
  const { steps, changedSince, isWhole } = selected
  const runner = new StepRunner()
  await runner.begin()
  const affected = changedSince === null ? null : affectedFiles(changedSince)
  if (affected !== null) process.stdout.write(`${affected.reason}\n`)
  for (const step of steps) await runner.run(step, affected?.filesOf(step) ?? null)
  const asked = ASKED_STEPS.map(({ name, what }) => `npm test -- --${name} (${what})`)
  return runner.finish(isWhole ? asked : [])
}

process.exitCode = await main(process.argv.slice(2))
