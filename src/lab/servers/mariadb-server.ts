import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { LandbridgeError } from '../../base/errors.ts'
import type { ServerBinaries } from './server-binaries.ts'
import type { ServerPaths, StartServerOptions } from './server-options.ts'

const run = promisify(execFile)
/** Always the same: a server whose log has another size makes it anew before it starts. */
const REDO = '--innodb-log-file-size=67108864'

/** What only MariaDB needs on its command line; server-arguments.ts has the rest. */
export function mariadbArguments(options: StartServerOptions, paths: ServerPaths): string[] {
  const list = [
    '--binlog-format=ROW',
    '--log-slave-updates=ON',
    '--performance-schema=OFF',
    REDO,
    `--slave-max-allowed-packet=${1024 ** 3}`,
    `--relay-log=${paths.data}/relay`,
    `--gtid-strict-mode=${options.gtid === false ? 'OFF' : 'ON'}`,
  ]
  if (options.tls === false) list.push('--skip-ssl')
  return list
}

/** Fills an empty folder with the system tables, root without a password, nobody anonymous. */
export async function initialiseMariadb(
  binaries: ServerBinaries,
  dataDirectory: string,
): Promise<void> {
  const user = process.getuid?.() === 0 ? ['--user=root'] : []
  const options = ['--no-defaults', ...user, ...binaries.baseOptions]
  const common = [...options, `--datadir=${dataDirectory}`, REDO]
  await createSystemTables(binaries, common)
  // The grant tables are plain tables while the server boots, before it reads them.
  await bootstrap(binaries, common, [
    "DELETE FROM mysql.global_priv WHERE User = '';",
    "DELETE FROM mysql.global_priv WHERE User = 'root' AND Host NOT IN ('localhost', '127.0.0.1');",
    "DELETE FROM mysql.db WHERE User = '';",
  ])
}

async function createSystemTables(
  binaries: ServerBinaries,
  common: readonly string[],
): Promise<void> {
  if (binaries.systemTables !== undefined) {
    const files = await Promise.all(binaries.systemTables.map((path) => readFile(path, 'utf8')))
    const before = ['CREATE DATABASE mysql;', 'USE mysql;', 'SET @auth_root_socket = NULL;']
    await bootstrap(binaries, common, [...before, ...files])
    return
  }
  const [installer, ...leading] = binaries.installer ?? []
  if (installer === undefined) throw new TypeError('MariaDB needs its installer')
  const options = ['--auth-root-authentication-method=normal', '--skip-test-db']
  await run(installer, [...leading, ...common, ...options])
}

async function bootstrap(
  binaries: ServerBinaries,
  common: readonly string[],
  statements: readonly string[],
): Promise<void> {
  const [command, ...leading] = binaries.server
  if (command === undefined) throw new TypeError('MariaDB needs its server program')
  const child = spawn(command, [...leading, ...common, '--bootstrap', '--skip-log-bin'], {
    stdio: ['pipe', 'ignore', 'pipe'],
  })
  let errorText = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errorText = (errorText + text).slice(-4000)
  })
  child.stdin.end(`${statements.join('\n')}\n`)
  const [exitCode] = (await once(child, 'close')) as [number | null]
  if (exitCode === 0) return
  throw new LandbridgeError('ERR_SERVER_START', 'MariaDB did not accept its first statements', {
    details: { exitCode, log: errorText },
  })
}
