import assert from 'node:assert/strict'
import type { SourceIdentity } from '../../../src/binlog/log.ts'
import { encodeResultSet } from '../../../src/mysql/result-set.ts'
import { answerQuery } from '../../../src/relay/query/query-answers.ts'
import { RelayTally } from '../../../src/relay/query/server-facts.ts'
import { SessionVariables } from '../../../src/relay/query/session-variables.ts'
import type { ServedLog } from '../../../src/relay/served-log.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { epochSource } from '../../helpers/spool/spool-fixture.ts'
import type { FuzzTarget } from '../engine/target.ts'
import { flagged, takeFlags } from '../input/flags.ts'
import { CLIENT_STATEMENTS } from '../input/statements.ts'

const MYSQL = 1
const SECOND = '\n;;\n'
const GTIDS = {
  mysql: '29d14f05-e66c-11f1-a076-02fc00000001:1-9',
  mariadb: '0-7-12,1-8-3',
} as const

/** A store that is asked for names and sets, never for bytes. */
function storeOf(source: SourceIdentity): ServedLog {
  const file = { ordinal: 1, epoch: 1, name: 'binlog.000001', path: '/nowhere', gtidsBefore: '' }
  const never = (): never => {
    throw new Error('a statement opens no file')
  }
  return {
    identity: () => source,
    files: () => [file],
    end: () => ({ ordinal: 1, offset: 4008 }),
    readableBytes: () => 4008,
    gtids: () => GTIDS[source.flavor],
    purgedGtids: () => '',
    gtidsBeforeEpoch: () => '',
    lineage: () => null,
    open: never,
    waitPast: never,
    claims: {
      standing: () => 'sound',
      hasPlaceFor: () => true,
      seniority: () => 0,
      confirm: never,
      letGo: never,
    },
  }
}

const relay = { serverId: 4_200_000_001, serverUuid: '11111111-2222-3333-4444-555555555555' }
const clock = new FakeClock()
const server = () => ({ uptimeSeconds: 7, refused: 0, tally: new RelayTally(), sessions: [] })
const sources = { mysql: epochSource('mysql'), mariadb: epochSource('mariadb') }
const stores = { mysql: storeOf(sources.mysql), mariadb: storeOf(sources.mariadb) }

/** Some statements of one session, in order: what one sets, the next one reads. */
function run(input: Buffer): void {
  const { flags, bytes } = takeFlags(input)
  const flavor = flags & MYSQL ? 'mysql' : 'mariadb'
  const session = new SessionVariables()
  const context = { store: stores[flavor], source: sources[flavor], relay, clock, session, server }
  for (const sql of bytes.toString('utf8').split(SECOND)) {
    const answer = answerQuery(sql, { ...context, connectionId: 5 })
    if (answer.kind !== 'rows') continue
    const { columns, rows } = answer.result
    assert(rows.every((row) => row.length === columns.length))
    const payloads = [...encodeResultSet(answer.result, { deprecateEof: true })]
    assert.equal(payloads.length, columns.length + rows.length + 2)
  }
}

export const createTarget = async (): Promise<FuzzTarget> => ({
  inputBytesMax: 600,
  seeds: flagged(
    [0, MYSQL],
    [...CLIENT_STATEMENTS, CLIENT_STATEMENTS.slice(0, 4).join(SECOND)].map((sql) =>
      Buffer.from(sql),
    ),
  ),
  tokens: [SECOND, '@@global.', '@a', ':=', '/*', '*/', '--  ', '``', "''", '\\', '%', '0x', '('],
  run,
})
