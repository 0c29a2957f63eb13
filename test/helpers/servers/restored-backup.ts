import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { sidProgram } from '../../../src/lab/servers/machine-cache.ts'
import { findOnPath, findServerBinaries } from '../../../src/lab/servers/server-binaries.ts'
import type { RunningServer } from '../../../src/lab/servers/server-options.ts'
import { connectSql } from '../../../src/lab/servers/sql-connection.ts'

const run = promisify(execFile)

/** What takes a consistent backup with its GTIDs, and what empties a server before the restore. */
const WAYS = {
  mysql: {
    program: 'mysqldump',
    options: ['--set-gtid-purged=ON', '--triggers', '--routines', '--events'],
    empty: ['STOP REPLICA', 'RESET REPLICA ALL', 'RESET BINARY LOGS AND GTIDS'],
  },
  mariadb: {
    program: 'mariadb-dump',
    options: ['--gtid', '--master-data=1', '--triggers', '--routines', '--events'],
    empty: ['STOP SLAVE', 'RESET SLAVE ALL', 'RESET MASTER'],
  },
} as const

/** Makes `target` what a backup of `source` says, as an operator does who reseeds a replica. */
export async function restoreFromBackup(
  source: RunningServer,
  target: RunningServer,
  databases: readonly string[],
): Promise<void> {
  const { flavor } = source
  const { program, options, empty } = WAYS[flavor]
  const path = findOnPath(program)
  const [command = program, ...leading] =
    (flavor === 'mysql' ? sidProgram(`usr/bin/${program}`) : undefined) ?? (path ? [path] : [])
  const file = join(target.directory, 'backup.sql')
  const login = ['--no-defaults', '--user=root']
  const output = ['--single-transaction', '--add-drop-database', `--result-file=${file}`]
  const words = [...login, `--socket=${source.socket}`, ...output, ...options, '--databases']
  await run(command, [...leading, ...words, ...databases])
  const sql = await connectSql({ socket: target.socket })
  for (const statement of empty) await sql.query(statement)
  await sql.end()
  const { client } = await findServerBinaries(flavor)
  const [clientCommand = '', ...clientLeading] = client
  const restore = [...clientLeading, ...login, `--socket=${target.socket}`]
  await using backup = await open(file)
  const child = spawn(clientCommand, restore, { stdio: [backup.fd, 'ignore', 'inherit'] })
  const [exitCode] = await once(child, 'close')
  if (exitCode !== 0) throw new Error(`the backup could not be restored: ${exitCode}`)
}
