import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { LabPaths } from '../lab-paths.ts'
import { onHost } from '../namespaces.ts'
import type { TwinReader } from './twin-client.ts'

const PAUSE_MS = 300

/** Reads from the relay under the replica's identity until abort, again when it is thrown out. */
export async function runTwin(
  paths: LabPaths,
  reader: TwinReader,
  signal: AbortSignal,
): Promise<void> {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
  const script = fileURLToPath(new URL(`./twin-client.${extension}`, import.meta.url))
  const [program = '', ...rest] = [
    ...onHost(paths, 'dr-db'),
    process.execPath,
    script,
    JSON.stringify(reader),
  ]
  while (!signal.aborted) {
    const child = spawn(program, rest, { stdio: 'ignore', signal, killSignal: 'SIGKILL' })
    child.on('error', () => undefined)
    await once(child, 'close').catch(() => undefined)
    await sleep(PAUSE_MS, undefined, { signal }).catch(() => undefined)
  }
}
