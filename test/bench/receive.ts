import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { RunningServer } from '../../src/lab/servers/server-options.ts'
import type { BinlogFile } from './binlog-file.ts'

const run = promisify(execFile)

export interface Received {
  readonly seconds: number
  /** On average meanwhile, the source's and everybody's included. */
  readonly coresBusy: number
  readonly rssBytes: number
  /** Of the child, in that time. */
  readonly cpuSeconds: number
}

/** Seconds from login to the last byte read and checked, by the source station alone. */
export async function readSeconds(
  source: RunningServer,
  files: readonly BinlogFile[],
): Promise<Received> {
  const last = lastOf(files)
  return await child('./read-child.ts', [String(source.port), last.name, String(last.bytes)])
}

/** Seconds from login to the last byte synced, source station and spool in a process of its own. */
export async function receiveSeconds(
  source: RunningServer,
  folder: string,
  files: readonly BinlogFile[],
): Promise<Received> {
  const last = lastOf(files)
  const args = [String(source.port), folder, last.name, String(last.bytes)]
  return await child('./receive-child.ts', args)
}

function lastOf(files: readonly BinlogFile[]): BinlogFile {
  const last = files.at(-1)
  if (last === undefined) throw new Error('no files to receive')
  return last
}

async function child(script: string, args: readonly string[]): Promise<Received> {
  const path = fileURLToPath(new URL(script, import.meta.url))
  const { stdout } = await run(process.execPath, [path, ...args], { timeout: 120_000 })
  return JSON.parse(stdout) as Received
}
