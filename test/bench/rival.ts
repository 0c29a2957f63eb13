import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, open, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { findServerBinaries } from '../../src/lab/servers/server-binaries.ts'
import type { RunningServer } from '../../src/lab/servers/server-options.ts'
import { LOGINS } from './logins.ts'
import { cpuSecondsOfChildren } from './processor-time.ts'
import { watchCores } from './watch-cores.ts'

const LIMIT_MS = 120_000

export interface RivalSeconds {
  /** Until the program ended: it syncs nothing. */
  readonly seconds: number
  /** Until its files were synced as well. */
  readonly syncedSeconds: number
  /** On average until the program ended. */
  readonly coresBusy: number
  /** Of the program. */
  readonly cpuSeconds: number
}

/** What `mysqlbinlog --read-from-remote-server --raw` needs for `files`, without TLS. */
export async function rivalSeconds(
  source: RunningServer,
  folder: string,
  files: readonly string[],
): Promise<RivalSeconds> {
  const { binlogTool } = await findServerBinaries(source.flavor)
  const target = await mkdtemp(join(folder, 'rival-'))
  const noTls =
    source.flavor === 'mysql' ? ['--ssl-mode=DISABLED', '--get-server-public-key'] : ['--skip-ssl']
  const [program, ...leading] = binlogTool
  if (program === undefined) throw new Error('no mysqlbinlog on this machine')
  const cpuBefore = await cpuSecondsOfChildren()
  const coresBusy = watchCores()
  const startedMs = performance.now()
  const child = spawn(
    program,
    [
      ...leading,
      '--no-defaults',
      '--read-from-remote-server',
      '--raw',
      '--host=127.0.0.1',
      '--protocol=TCP',
      `--port=${source.port}`,
      `--user=${LOGINS.user}`,
      ...noTls,
      `--result-file=${target}/`,
      ...files,
    ],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, MYSQL_PWD: LOGINS.password },
      timeout: LIMIT_MS,
    },
  )
  let errors = ''
  child.stderr.on('data', (text) => {
    errors = `${errors}${text}`.slice(-2000)
  })
  const [code] = await once(child, 'exit')
  const seconds = (performance.now() - startedMs) / 1000
  const busy = coresBusy()
  const cpuSeconds = (await cpuSecondsOfChildren()) - cpuBefore
  if (code !== 0) throw new Error(`mysqlbinlog ended with ${code}: ${errors}`)
  for (const file of await readdir(target)) await syncFile(join(target, file))
  const syncedSeconds = (performance.now() - startedMs) / 1000
  await rm(target, { recursive: true, force: true })
  return { seconds, syncedSeconds, coresBusy: busy, cpuSeconds }
}

async function syncFile(path: string): Promise<void> {
  await using file = await open(path, 'r+')
  await file.datasync()
}
