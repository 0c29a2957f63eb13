import type { Connection } from 'mysql2/promise'
import { systemClock } from '../../../src/base/clock.ts'
import { realDisk } from '../../../src/base/disk.ts'
import { FolderLog } from '../../../src/binlog/folder-log.ts'
import type { RunningServer } from '../../../src/lab/servers/server-options.ts'
import type { ServedLog } from '../../../src/relay/served-log.ts'
import { RecordedClaims } from './recorded-claims.ts'

const POLL_MS = 100

/** A running source's own binlog files, read in place. */
export class ServerLog extends FolderLog implements ServedLog {
  readonly claims = new RecordedClaims(() => this.files())
  readonly #hidden: { name: string | null }

  private constructor(server: RunningServer, serverUuid: string | null) {
    const hidden: { name: string | null } = { name: null }
    super({
      directory: server.binlogDirectory,
      clock: systemClock,
      baseName: 'binlog',
      serverUuid,
      pollMs: POLL_MS,
      disk: {
        ...realDisk,
        readdir: async (path) => (await realDisk.readdir(path)).filter((n) => n !== hidden.name),
      },
    })
    this.#hidden = hidden
  }

  static async open(server: RunningServer, sql: Connection): Promise<ServerLog> {
    if (server.flavor === 'mariadb') return new ServerLog(server, null)
    const [rows] = await sql.query('SELECT @@server_uuid AS uuid')
    return new ServerLog(server, (rows as { uuid: string }[])[0]?.uuid ?? null)
  }

  /** Up to where the source stands. */
  async look(): Promise<void> {
    await this.refresh({ signal: new AbortController().signal })
  }

  /** A file that is not seen, as if the source had purged it, or not begun it; null: all are. */
  hide(name: string | null): void {
    this.#hidden.name = name
  }
}
