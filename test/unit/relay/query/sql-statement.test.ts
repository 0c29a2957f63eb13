import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseStatement } from '../../../../src/relay/query/sql-statement.ts'

test.each([
  'SET @master_heartbeat_period = 30000001024, @source_heartbeat_period = 30000001024',
  'set @MASTER_heartbeat_period=30000001024,@source_heartbeat_period=30000001024;',
  '/* c */ SET @master_heartbeat_period= 30000001024 , @source_heartbeat_period=30000001024 -- x',
])('reads a list of user variables: %s', (sql) => {
  const value = { kind: 'literal', text: '30000001024' }
  expect(parseStatement(sql)).toEqual({
    kind: 'set',
    assignments: [
      { target: 'user', name: 'master_heartbeat_period', value },
      { target: 'user', name: 'source_heartbeat_period', value },
    ],
  })
})

test('a system variable may be the value', () => {
  expect(parseStatement('SET @master_binlog_checksum= @@global.binlog_checksum')).toEqual({
    kind: 'set',
    assignments: [
      {
        target: 'user',
        name: 'master_binlog_checksum',
        value: { kind: 'system', name: 'binlog_checksum' },
      },
    ],
  })
})

test('texts keep their quotes, escapes and commas', () => {
  expect(
    parseStatement(`SET @slave_connect_state='0-1-100,2-3-4', @a = "it's", @b='\\'x'''`),
  ).toMatchObject({
    assignments: [
      { name: 'slave_connect_state', value: { text: '0-1-100,2-3-4' } },
      { name: 'a', value: { text: "it's" } },
      { name: 'b', value: { text: "'x'" } },
    ],
  })
})

test('select: variables, functions, aliases, limit', () => {
  expect(
    parseStatement(
      'SELECT @@GLOBAL.GTID_MODE, @x, UNIX_TIMESTAMP() AS t, @@version_comment limit 1',
    ),
  ).toEqual({
    kind: 'select',
    items: [
      { expression: { kind: 'system', name: 'gtid_mode' }, title: '@@GLOBAL.GTID_MODE' },
      { expression: { kind: 'user', name: 'x' }, title: '@x' },
      { expression: { kind: 'call', name: 'unix_timestamp' }, title: 't' },
      { expression: { kind: 'system', name: 'version_comment' }, title: '@@version_comment' },
    ],
  })
})

test.each([
  ["SHOW VARIABLES LIKE 'SERVER_ID'", ['server_id'], ['server_uuid']],
  ["show global variables like 'gtid%'", ['gtid_mode', 'gtid_purged'], ['server_id']],
  ["SHOW VARIABLES WHERE Variable_name IN ('a', 'B')", ['a', 'b'], ['c']],
  ["SHOW VARIABLES WHERE Variable_name = 'x.y'", ['x.y'], ['xzy']],
  ['SHOW VARIABLES', ['anything'], []],
])('%s', (sql, hits, misses) => {
  const statement = parseStatement(sql)
  if (statement.kind !== 'show-variables') throw new Error(statement.kind)
  expect(hits.every(statement.matches)).toBe(true)
  expect(misses.some(statement.matches)).toBe(false)
})

test.each([
  ['SHOW BINARY LOGS', 'show-files'],
  ['show master logs', 'show-files'],
  ['SHOW BINARY LOG STATUS', 'show-position'],
  ['SHOW MASTER STATUS;', 'show-position'],
  ['KILL 12', 'kill'],
  ['SET NAMES latin1', 'ignored'],
  ['SHOW TABLES', 'unknown'],
  ['DROP TABLE x', 'unknown'],
  ['SELECT * FROM mysql.user', 'unknown'],
  ['SELECT @x + 1', 'unknown'],
  ['', 'unknown'],
])('%s is %s', (sql, kind) => {
  expect(parseStatement(sql).kind).toBe(kind)
})

test('any text gets an answer', () => {
  const word = fc.constantFrom(
    'SELECT',
    'SET',
    'SHOW',
    '@',
    '@@',
    "'",
    '"',
    '`',
    '/*',
    '(',
    ',',
    '=',
  )
  const text = fc.array(fc.oneof(word, fc.string({ maxLength: 6 }))).map((parts) => parts.join(' '))
  fc.assert(fc.property(text, (sql) => typeof parseStatement(sql).kind === 'string'))
})

/** As long as a statement may be: a step for every pair of characters would take minutes. */
const LENGTH = 1024 * 1024

test.each([
  ['escaped quotes that never end', "SET @a='", "\\'"],
  ['escaped double quotes that never end', 'SET @a="', '\\"'],
  ['comments that never end', 'SELECT 1 ', '/* '],
  ['semicolons before something else', 'SELECT 1', ' ;'],
  ['spaces before something else', 'SELECT 1', '  '],
  ['commas', 'SELECT ', ',,'],
])('%s are read in time that their length explains', (_what, head, part) => {
  const sql = `${head}${part.repeat((LENGTH - head.length) >> 1)}x`
  expect(parseStatement(sql).kind).toBe('unknown')
})

test('a pattern longer than any name matches nothing, whatever is in it', () => {
  const found = parseStatement(`SHOW VARIABLES LIKE '${'_'.repeat(LENGTH)}'`)
  expect(found.kind === 'show-variables' && found.matches('server_id')).toBe(false)
})

describe('what monitors ask', () => {
  const none = { file: null, from: null, skip: 0, count: null }

  test.each([
    ['SHOW BINLOG EVENTS', none],
    [
      "show binlog events in 'b.000001' from 4 limit 2, 5",
      { file: 'b.000001', from: 4, skip: 2, count: 5 },
    ],
    ['SHOW BINLOG EVENTS LIMIT 5 OFFSET 2', { ...none, skip: 2, count: 5 }],
    ['SHOW BINLOG EVENTS LIMIT 1', { ...none, count: 1 }],
  ])('%s', (sql, wish) => {
    expect(parseStatement(sql)).toEqual({ kind: 'show-events', wish })
  })

  test.each([
    'SHOW BINLOG EVENTS IN b',
    'SHOW BINLOG EVENTS FROM x',
    'SHOW BINLOG EVENTS LIMIT',
    'SHOW BINLOG EVENTS LIMIT 1,',
    'SHOW BINLOG EVENTS LIMIT -1',
    'SHOW BINLOG EVENTS LIMIT 1 WHERE x',
    'SHOW FULL VARIABLES',
  ])('%s is nothing that is answered', (sql) => {
    expect(parseStatement(sql)).toEqual({ kind: 'unknown' })
  })

  test.each([
    ['SHOW FULL PROCESSLIST', { kind: 'show-processes', isFull: true }],
    ['show processlist', { kind: 'show-processes', isFull: false }],
    ['SHOW REPLICAS', { kind: 'show-replicas', words: 'replicas' }],
    ['SHOW SLAVE HOSTS;', { kind: 'show-replicas', words: 'slave-hosts' }],
    ['SHOW /*!50002 GLOBAL */ STATUS', { kind: 'show-status' }],
    ["SHOW SESSION STATUS LIKE 'Up%'", { kind: 'show-status' }],
    ['SHOW BINLOG STATUS', { kind: 'show-position' }],
  ])('%s', (sql, statement) => {
    expect(parseStatement(sql)).toMatchObject(statement)
  })
})
