import type { Log } from '../../base/log.ts'
import { encodeOk, encodeServerError, type ServerError } from '../../mysql/ok-packet.ts'
import { encodeResultSet, type ResultSet } from '../../mysql/result-set.ts'
import type { MemoryShare } from '../login/login-memory.ts'
import type { PacketChannel } from '../login/packet-channel.ts'
import { EVENT_COLUMNS, readEventRows } from './event-rows.ts'
import {
  type Answer,
  answerQuery,
  type QueryContext,
  rows,
  showProcesses,
} from './query-answers.ts'
import { noSuchThread, notOwner, statementTooLong } from './server-errors.ts'
import { statisticsLine } from './server-facts.ts'
import type { EventsWish } from './sql-statement.ts'

export type KillResult = 'killed' | 'unknown' | 'denied'

export interface SessionStatementsOptions extends QueryContext {
  readonly channel: PacketChannel
  readonly log: Log
  readonly share: MemoryShare
  /** Ends another session of this relay, if this one may. */
  readonly kill: (connectionId: number) => KillResult
}

const STATEMENT_BYTES_MAX = 64 * 1024
/** What a MariaDB replica says where it stands, and where it wants to stop. */
const POSITION = /^SET @slave_(?:connect_state|until_gtid)\b/i
const POSITION_BYTES_MAX = 512 * 1024
/** It says each once; what is large is dear, also when it is not kept. */
const POSITIONS_MAX = 4
const HEAD_BYTES = 64
/** Of an answer so much is made at once. */
const ANSWER_PIECE_BYTES = 64 * 1024
/** A value is text first and a packet then. */
const MEMORY_PER_ANSWER_BYTE = 2

/** The SQL half of a session: statements in, answers out. */
export class SessionStatements {
  readonly #options: SessionStatementsOptions
  #positions = 0

  constructor(options: SessionStatementsOptions) {
    this.#options = options
  }

  /** Settles when the client has taken the answer. */
  async answer(body: Buffer, deprecateEof: boolean): Promise<void> {
    const { channel, share, session, log } = this.#options
    this.#options.server().tally.statements += 1
    if (body.length > STATEMENT_BYTES_MAX && !this.#isPosition(body)) {
      return channel.send(encodeServerError(statementTooLong()))
    }
    const sql = body.toString()
    const answer = answerQuery(sql, this.#options)
    log.debug({ sql: sql.slice(0, 200), answer: answer.kind }, 'statement')
    share.keep('variables', session.bytes)
    await this.#send(answer, deprecateEof)
  }

  /** COM_PROCESS_INFO. */
  async processes(deprecateEof: boolean): Promise<void> {
    await this.#send(showProcesses(this.#options, '', false), deprecateEof)
  }

  /** COM_PROCESS_KILL. */
  async kill(connectionId: number): Promise<void> {
    await this.#options.channel.send(this.#kill(connectionId))
  }

  /** COM_STATISTICS. */
  async statistics(): Promise<void> {
    const { channel, source, server } = this.#options
    await channel.send(Buffer.from(statisticsLine(source.flavor, server())))
  }

  async #send(answer: Answer, deprecateEof: boolean): Promise<void> {
    const { channel, share } = this.#options
    switch (answer.kind) {
      case 'ok':
        return channel.send(encodeOk())
      case 'error':
        return channel.send(encodeServerError(answer.error))
      case 'rows':
        share.keep('answer', answer.bytes * MEMORY_PER_ANSWER_BYTE)
        await this.#sendRows(answer.result, deprecateEof)
        return share.keep('answer', 0)
      case 'kill':
        return channel.send(this.#kill(answer.connectionId))
      case 'events':
        return this.#send(await this.#events(answer.wish), deprecateEof)
    }
  }

  async #events(wish: EventsWish): Promise<Answer> {
    const { store, source } = this.#options
    const list = await readEventRows(store, source.flavor, wish)
    if (!Array.isArray(list)) return { kind: 'error', error: list as ServerError }
    return rows(EVENT_COLUMNS, list)
  }

  #isPosition(body: Buffer): boolean {
    if (body.length > POSITION_BYTES_MAX || this.#positions >= POSITIONS_MAX) return false
    this.#positions += 1
    return POSITION.test(body.toString('latin1', 0, HEAD_BYTES))
  }

  async #sendRows(result: ResultSet, deprecateEof: boolean): Promise<void> {
    const { channel } = this.#options
    let piece: Buffer[] = []
    let bytes = 0
    for (const payload of encodeResultSet(result, { deprecateEof })) {
      piece.push(channel.writer.frame(payload))
      bytes += payload.length
      if (bytes < ANSWER_PIECE_BYTES) continue
      await channel.write(Buffer.concat(piece))
      piece = []
      bytes = 0
    }
    await channel.write(Buffer.concat(piece))
  }

  #kill(connectionId: number): Buffer {
    switch (this.#options.kill(connectionId)) {
      case 'killed':
        return encodeOk()
      case 'unknown':
        return encodeServerError(noSuchThread(connectionId))
      case 'denied':
        return encodeServerError(notOwner(connectionId))
    }
  }
}
