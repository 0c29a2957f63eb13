import { untilAborted } from '../base/until-aborted.ts'
import type { Capability } from './capability.ts'

/**
 * Runs all until abort, or until one fails. They end in good order: the last acknowledgements and
 * the farewell of what flows still need the ground.
 */
export async function runParts(
  parts: readonly Pick<Capability, 'ground' | 'flow'>[],
  signal: AbortSignal,
): Promise<void> {
  const [flowEnd, groundEnd] = [new AbortController(), new AbortController()]
  const flowing = parts.flatMap(({ flow = [] }) => flow.map((task) => task.run(flowEnd.signal)))
  const grounding = parts.flatMap(({ ground = [] }) => {
    return ground.map((task) => task.run(groundEnd.signal))
  })
  const all = Promise.all([...flowing, ...grounding])
  try {
    await Promise.race([all, untilAborted(signal)])
  } finally {
    flowEnd.abort()
    await Promise.allSettled(flowing)
    groundEnd.abort()
    await Promise.allSettled(grounding)
  }
  // A station that failed took the others down; now its failure is reported.
  await all
}
