import { join } from 'node:path'
import { mariadbArguments } from './mariadb-server.ts'
import { mysqlArguments } from './mysql-server.ts'
import type { ServerBinaries } from './server-binaries.ts'
import type { ServerPaths, ServerTlsFiles, StartServerOptions } from './server-options.ts'

const BINLOG_BYTES_MAX_DEFAULT = 100 * 1024 ** 2
const BUFFER_POOL_BYTES_DEFAULT = 128 * 1024 ** 2

export function serverPaths(directory: string): ServerPaths {
  return {
    data: join(directory, 'data'),
    binlogs: join(directory, 'binlog'),
    temporary: join(directory, 'tmp'),
    socket: join(directory, 'server.sock'),
    log: join(directory, 'server.log'),
    pidFile: join(directory, 'server.pid'),
    tls: join(directory, 'tls'),
  }
}

/** The whole argv of a server, prefix and loader included. Nothing is read from /etc/mysql. */
export function serverCommand(
  binaries: ServerBinaries,
  options: StartServerOptions,
  paths: ServerPaths,
  tls: ServerTlsFiles | undefined,
): string[] {
  const flavorArguments = options.flavor === 'mysql' ? mysqlArguments : mariadbArguments
  return [
    ...(options.commandPrefix ?? []),
    ...binaries.server,
    '--no-defaults',
    ...(process.getuid?.() === 0 ? ['--user=root'] : []),
    ...binaries.baseOptions,
    ...commonArguments(options, paths),
    ...flavorArguments(options, paths),
    ...(options.durable === false ? fastArguments() : durableArguments()),
    ...(tls === undefined ? [] : tlsArguments(tls)),
    ...(options.arguments ?? []),
  ]
}

function commonArguments(options: StartServerOptions, paths: ServerPaths): string[] {
  return [
    `--datadir=${paths.data}`,
    `--socket=${paths.socket}`,
    `--pid-file=${paths.pidFile}`,
    `--tmpdir=${paths.temporary}`,
    `--port=${options.port}`,
    `--bind-address=${options.bindAddress ?? '127.0.0.1'}`,
    `--server-id=${options.serverId}`,
    `--log-bin=${join(paths.binlogs, 'binlog')}`,
    '--binlog-checksum=CRC32',
    `--max-binlog-size=${options.maxBinlogBytes ?? BINLOG_BYTES_MAX_DEFAULT}`,
    `--innodb-buffer-pool-size=${options.bufferPoolBytes ?? BUFFER_POOL_BYTES_DEFAULT}`,
    `--max-allowed-packet=${1024 ** 3}`,
    // LOAD DATA INFILE of any file. MariaDB shows an empty value as NULL, MySQL's word for never.
    `--secure-file-priv=${options.flavor === 'mariadb' ? '/' : ''}`,
    // A namespace of the lab has no name server: looking names up would only wait.
    '--skip-name-resolve',
  ]
}

function durableArguments(): string[] {
  return ['--innodb-flush-log-at-trx-commit=1', '--sync-binlog=1']
}

/** Survives a killed process, not a power cut. */
function fastArguments(): string[] {
  return ['--innodb-flush-log-at-trx-commit=2', '--sync-binlog=0', '--innodb-doublewrite=OFF']
}

function tlsArguments(tls: ServerTlsFiles): string[] {
  return [
    `--ssl-ca=${tls.authority}`,
    `--ssl-cert=${tls.certificate}`,
    `--ssl-key=${tls.privateKey}`,
  ]
}
