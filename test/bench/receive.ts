import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { RunningServer } from '../../src/lab/servers/server-options.ts'
import type { BinlogFile } from './binlog-file.ts'

const run = promisify(execFile)
const CHILD = fileURLToPath(new URL('./receive-child.ts', import.meta.url))

/** Seconds from login to the last byte synced, source station and spool in a process of its own. */
export async function receiveSeconds(
  source: RunningServer,
  folder: string,
  files: readonly BinlogFile[],
): Promise<{ readonly seconds: number; readonly rssBytes: number }> {
  const last = files.at(-1)
  if (last === undefined) throw new Error('no files to receive')
  const args = [CHILD, String(source.port), folder, last.name, String(last.bytes)]
  const { stdout } = await run(process.execPath, args, { timeout: 120_000 })
  return JSON.parse(stdout) as { seconds: number; rssBytes: number }
}
