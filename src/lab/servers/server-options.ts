import type { Flavor } from '../../base/flavor.ts'
import type { ServerRelease } from './server-binaries.ts'

export interface StartServerOptions {
  readonly flavor: Flavor
  /** Default: the usual one of the machine. */
  readonly release?: ServerRelease
  /** Data, binlogs, socket and log go below it. Existing data is started as it is. */
  readonly directory: string
  readonly port: number
  readonly serverId: number
  /** Default 127.0.0.1. */
  readonly bindAddress?: string
  /** Further `--name=value` arguments; the last one wins. */
  readonly arguments?: readonly string[]
  /** argv put before the server, such as `['ip', 'netns', 'exec', NAME]`. It must exec. */
  readonly commandPrefix?: readonly string[]
  /** A certificate of its own and TLS offered. Default true. */
  readonly tls?: boolean
  /** MySQL gtid_mode=ON; MariaDB gtid_strict_mode. Default true. */
  readonly gtid?: boolean
  /** Default 100 MiB. */
  readonly maxBinlogBytes?: number
  /** Default 128 MiB. */
  readonly bufferPoolBytes?: number
  /** False gives up what only a power cut would cost, for speed. Default true. */
  readonly durable?: boolean
  /** The server outlives this process. Default false: it is killed when this process ends. */
  readonly detached?: boolean
  /** How long the server may take until it answers. Default 60 s. */
  readonly startMs?: number
  readonly signal?: AbortSignal
}

export interface ServerTlsFiles {
  readonly authority: string
  readonly certificate: string
  readonly privateKey: string
}

/** What another process needs to find, use and stop the server. Plain data, safe as JSON. */
export interface ServerRecord {
  readonly flavor: Flavor
  readonly version: string
  readonly pid: number
  /** Clock ticks since boot, from /proc; with the pid it names one process for ever. */
  readonly pidStartTicks: string
  readonly bindAddress: string
  readonly port: number
  readonly serverId: number
  readonly socket: string
  readonly directory: string
  readonly dataDirectory: string
  readonly binlogDirectory: string
  readonly logFile: string
  /** Logs in over the socket without a password. */
  readonly rootUser: string
  readonly tls: ServerTlsFiles | undefined
}

export interface RunningServer extends ServerRecord {
  /** Settles when the process is gone, however that happened. Never rejects. */
  readonly exited: Promise<void>
  /** SIGTERM, a bounded wait, SIGKILL. Settles when the process is gone. */
  stop(options?: { readonly stopMs?: number }): Promise<void>
  kill(signal: NodeJS.Signals): void
  /** The plain-data part. */
  record(): ServerRecord
}

/** Paths below `directory`, the same for both flavours. */
export interface ServerPaths {
  readonly data: string
  readonly binlogs: string
  readonly temporary: string
  readonly socket: string
  readonly log: string
  readonly pidFile: string
  readonly tls: string
}
