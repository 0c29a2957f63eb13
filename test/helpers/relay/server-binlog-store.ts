import { readFile, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Connection } from 'mysql2/promise'
import { EVENT_HEADER_BYTES, EventType } from '../../../src/binlog/event-type.ts'
import type { LogFile, SourceIdentity } from '../../../src/binlog/log.ts'
import { MariadbGtidState } from '../../../src/binlog/mariadb-gtid-state.ts'
import { decodeMysqlGtidSet } from '../../../src/binlog/mysql-gtid-set.ts'
import type { RunningServer } from '../../../src/lab/servers/server-options.ts'
import { PlainBinlogStore } from './plain-binlog-store.ts'

/**
 * A store made of a running source's own binlog files, read in place. `refresh` moves the end to
 * where the source stands, or to the end of its last but one file; nothing else does.
 */
export class ServerBinlogStore extends PlainBinlogStore {
  readonly #server: RunningServer
  readonly #sql: Connection

  constructor(server: RunningServer, sql: Connection) {
    super()
    this.#server = server
    this.#sql = sql
  }

  async refresh(options: { readonly withoutNewest?: boolean } = {}): Promise<void> {
    const { binlogDirectory, flavor } = this.#server
    const isMysql = flavor === 'mysql'
    const [rows] = await this.#sql.query(isMysql ? 'SHOW BINARY LOG STATUS' : 'SHOW MASTER STATUS')
    const [status] = rows as { File: string; Position: number }[]
    const index = await readFile(join(binlogDirectory, 'binlog.index'), 'utf8')
    const lines = index.split('\n').filter((line) => line !== '')
    const names = lines.map((line) => basename(line))
    const count = names.indexOf(status?.File ?? '') + (options.withoutNewest === true ? 0 : 1)
    const files: LogFile[] = []
    for (const name of names.slice(0, count)) {
      const path = join(binlogDirectory, name)
      const gtidsBefore = gtidsAtHead(await readFile(path))
      files.push({ ordinal: files.length + 1, epoch: 1, name, path, gtidsBefore })
    }
    const sizes = new Map<number, number>()
    for (const { ordinal, path } of files) sizes.set(ordinal, (await stat(path)).size)
    const lastBytes = options.withoutNewest === true ? sizes.get(count) : status?.Position
    const gtids = isMysql ? '@@gtid_executed' : '@@gtid_binlog_state'
    this.replace({
      identity: await this.#identity(),
      files,
      sizes,
      end: { ordinal: count, offset: Number(lastBytes) },
      gtids: String(await this.#one(`SELECT ${gtids}`)).replaceAll('\n', ''),
    })
  }

  async #identity(): Promise<SourceIdentity> {
    const { flavor, version, serverId } = this.#server
    const isMysql = flavor === 'mysql'
    const serverUuid = isMysql ? String(await this.#one('SELECT @@server_uuid')) : null
    const serverVersion = isMysql ? version : `${version}-MariaDB-log`
    return { flavor, serverVersion, serverId, serverUuid, gtidDomainId: 0 }
  }

  async #one(sql: string): Promise<unknown> {
    const [rows] = await this.#sql.query({ sql, rowsAsArray: true })
    return (rows as unknown[][])[0]?.[0]
  }
}

/** From the Previous_gtids or Gtid_list event near a file's start. */
function gtidsAtHead(file: Buffer): string {
  let at = 4
  while (at + EVENT_HEADER_BYTES <= file.length) {
    const size = file.readUInt32LE(at + 9)
    const body = file.subarray(at + EVENT_HEADER_BYTES, at + size - 4)
    if (file[at + 4] === EventType.MysqlPreviousGtids) return decodeMysqlGtidSet(body).toString()
    if (file[at + 4] === EventType.MariadbGtidList) {
      const state = new MariadbGtidState()
      for (let entry = 4; entry + 16 <= body.length; entry += 16) {
        const domainId = body.readUInt32LE(entry)
        state.addParts(domainId, body.readUInt32LE(entry + 4), body.readBigUInt64LE(entry + 8))
      }
      return state.toStateString()
    }
    at += size
  }
  return ''
}
