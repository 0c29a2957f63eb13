import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { findOnPath, unpackedRoot } from '../../../src/setup/cache.mjs'

export interface PromtoolRun {
  readonly code: number | null
  /** Both outputs, as they came. */
  readonly text: string
}

/** Runs Prometheus' own checker, which a test declares as `needs('promtool')`. */
export async function promtool(
  args: readonly string[],
  { input = '', cwd }: { readonly input?: string; readonly cwd?: string } = {},
): Promise<PromtoolRun> {
  const program = findOnPath('promtool') ?? join(unpackedRoot(), 'usr/bin/promtool')
  const child = spawn(program, args, { stdio: 'pipe', ...(cwd !== undefined && { cwd }) })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (part: string) => {
      text += part
    })
  }
  child.stdin.end(input)
  const { promise, resolve, reject } = Promise.withResolvers<number | null>()
  child.once('error', reject).once('close', resolve)
  return { code: await promise, text }
}
