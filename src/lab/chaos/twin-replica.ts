import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { TwinReader } from './twin-client.ts'

const PAUSE_MS = 300

/**
 * Reads from the relay under the replica's identity until abort, again when it is thrown out.
 * `host`: what a command line begins with so that it runs there.
 */
export async function runTwin(
  host: readonly string[],
  reader: TwinReader,
  signal: AbortSignal,
): Promise<void> {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
  const script = fileURLToPath(new URL(`./twin-client.${extension}`, import.meta.url))
  const [program = '', ...rest] = [...host, process.execPath, script]
  while (!signal.aborted) {
    const child = spawn(program, rest, {
      stdio: ['pipe', 'ignore', 'ignore'],
      signal,
      killSignal: 'SIGKILL',
    })
    child.on('error', () => undefined)
    const closed = once(child, 'close').catch(() => undefined)
    // Not by argv: a set of GTIDs outgrows that, and the password is nobody else's business.
    child.stdin.on('error', () => undefined)
    child.stdin.end(JSON.stringify(reader))
    await closed
    await sleep(PAUSE_MS, undefined, { signal }).catch(() => undefined)
  }
}
