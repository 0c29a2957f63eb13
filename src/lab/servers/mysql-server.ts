import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { ServerBinaries } from './server-binaries.ts'
import type { ServerPaths, StartServerOptions } from './server-options.ts'

const run = promisify(execFile)

/** What only MySQL needs on its command line; server-arguments.ts has the rest. */
export function mysqlArguments(options: StartServerOptions, paths: ServerPaths): string[] {
  const gtid = options.gtid === false ? 'OFF' : 'ON'
  const list = [
    '--mysqlx=OFF',
    '--log-replica-updates=ON',
    `--replica-max-allowed-packet=${1024 ** 3}`,
    `--relay-log=${paths.data}/relay`,
    `--gtid-mode=${gtid}`,
    `--enforce-gtid-consistency=${gtid}`,
    '--innodb-redo-log-capacity=67108864',
    // Replication tables stay; the counters of every mutex, file and table are not needed.
    '--performance-schema-instrument=%=OFF',
    '--performance-schema-max-table-instances=200',
    '--performance-schema-digests-size=0',
    '--table-open-cache=400',
  ]
  if (options.tls === false) list.push('--tls-version=', '--auto-generate-certs=OFF')
  return list
}

/** Fills an empty folder with the system tables and root@localhost without a password. */
export async function initialiseMysql(
  binaries: ServerBinaries,
  dataDirectory: string,
): Promise<void> {
  const [command, ...leading] = binaries.server
  if (command === undefined) throw new TypeError('MySQL needs its server program')
  const user = process.getuid?.() === 0 ? ['--user=root'] : []
  await run(command, [
    ...leading,
    '--no-defaults',
    ...user,
    ...binaries.baseOptions,
    `--datadir=${dataDirectory}`,
    '--initialize-insecure',
    '--mysqlx=OFF',
    '--skip-log-bin',
    '--innodb-redo-log-capacity=8388608',
  ])
}
