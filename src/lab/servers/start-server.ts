import { existsSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { resolve } from 'node:path'
import { LandbridgeError } from '../../base/errors.ts'
import { signalProcess, waitForExit } from './process-identity.ts'
import { serverCommand, serverPaths } from './server-arguments.ts'
import { findServerBinaries } from './server-binaries.ts'
import { ensureServerCertificate } from './server-certificate.ts'
import type {
  RunningServer,
  ServerPaths,
  ServerRecord,
  StartServerOptions,
} from './server-options.ts'
import { launchServer } from './server-process.ts'
import { createDataDirectory } from './server-template.ts'

const STOP_MS_DEFAULT = 30_000

/** sun_path of a Unix socket holds 108 bytes with the final zero. */
const SOCKET_PATH_BYTES_MAX = 107

/** Starts a real database server; existing data in `directory` is used as it is. */
export async function startServer(options: StartServerOptions): Promise<RunningServer> {
  const binaries = await findServerBinaries(options.flavor, options.release)
  const directory = resolve(options.directory)
  const paths = serverPaths(directory)
  requireShortSocketPath(paths.socket)
  for (const folder of [paths.binlogs, paths.temporary]) {
    await mkdir(folder, { recursive: true, mode: 0o700 })
  }
  if (!existsSync(paths.data)) await createDataDirectory(binaries, paths.data)
  await removeLeftovers(paths)
  const bindAddress = options.bindAddress ?? '127.0.0.1'
  const tls =
    options.tls === false ? undefined : await ensureServerCertificate(paths.tls, bindAddress)
  const started = await launchServer(serverCommand(binaries, options, paths, tls), options, paths)
  return adoptServer({
    flavor: options.flavor,
    version: binaries.version,
    ...started,
    bindAddress,
    port: options.port,
    serverId: options.serverId,
    socket: paths.socket,
    directory,
    dataDirectory: paths.data,
    binlogDirectory: paths.binlogs,
    logFile: paths.log,
    rootUser: 'root',
    tls,
  })
}

/** A handle on a server that some process started before, from its record. */
export function adoptServer(record: ServerRecord): RunningServer {
  const { pid, pidStartTicks } = record
  let exited: Promise<void> | undefined
  return {
    ...record,
    // Watching starts when somebody asks, so that a handle alone keeps no process alive.
    get exited() {
      exited ??= waitForExit(pid, pidStartTicks).then(() => undefined)
      return exited
    },
    kill: (signal) => void signalProcess(pid, pidStartTicks, signal),
    stop: (options = {}) => stopServer(record, options.stopMs ?? STOP_MS_DEFAULT),
    record: () => record,
  }
}

async function stopServer({ pid, pidStartTicks }: ServerRecord, stopMs: number): Promise<void> {
  // A stopped (SIGSTOP) process would not see the SIGTERM.
  signalProcess(pid, pidStartTicks, 'SIGCONT')
  signalProcess(pid, pidStartTicks, 'SIGTERM')
  if (await waitForExit(pid, pidStartTicks, stopMs)) return
  signalProcess(pid, pidStartTicks, 'SIGKILL')
  await waitForExit(pid, pidStartTicks)
}

/** A pid file or socket of a killed server must not be taken for the new one's. */
async function removeLeftovers(paths: ServerPaths): Promise<void> {
  for (const path of [paths.pidFile, paths.socket, `${paths.socket}.lock`]) {
    await rm(path, { force: true })
  }
}

function requireShortSocketPath(socket: string): void {
  const bytes = Buffer.byteLength(socket)
  if (bytes <= SOCKET_PATH_BYTES_MAX) return
  throw new LandbridgeError('ERR_SERVER_START', `the socket path has ${bytes} bytes: ${socket}`, {
    remedy: `use a directory whose path is at least ${bytes - SOCKET_PATH_BYTES_MAX} bytes shorter`,
  })
}
