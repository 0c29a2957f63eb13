import { expect, test } from 'vitest'
import {
  connectionFilters,
  newConnectionFilters,
  serverFilters,
  serverSettingsQuery,
} from '../../../src/database/replica-filters.ts'

test('a connection leaves out what its columns name, and nothing where they are empty', () => {
  const row = {
    Connection_name: '',
    Replicate_Do_DB: '',
    Replicate_Ignore_Table: 'd.u,d.t',
    Replicate_Do_Domain_Ids: '0',
    Replicate_Ignore_Domain_Ids: '7, 8',
    Replicate_Ignore_Server_Ids: null,
    Skip_Counter: 3,
  }
  expect(connectionFilters(row)).toEqual([
    'replicate_ignore_table=d.u,d.t',
    'DO_DOMAIN_IDS=0',
    'IGNORE_DOMAIN_IDS=7, 8',
    'sql_slave_skip_counter=3',
  ])
  // By GTID MySQL skips nothing, whatever the counter says.
  expect(connectionFilters({ Channel_Name: '', Skip_Counter: 3, Replicate_Do_DB: '' })).toEqual([])
})

test('a long list is cut, visibly', () => {
  const [text = ''] = connectionFilters({ Replicate_Do_Table: 'd.t,'.repeat(1000) })
  expect(text.length).toBeLessThan(200)
  expect(text).toMatch(/\.\.\.$/)
})

test('a server that passes over what does not fit is named, and no usual one', () => {
  const rows = (...values: readonly (readonly [string, string])[]) =>
    values.map(([Variable_name, Value]) => ({ Variable_name, Value }))
  expect(
    serverFilters('mysql', rows(['replica_skip_errors', 'OFF'], ['replica_exec_mode', 'STRICT'])),
  ).toEqual([])
  expect(serverFilters('mysql', rows(['replica_skip_errors', '1062,1032']))).toEqual([
    'replica_skip_errors=1062,1032',
  ])
  expect(
    serverFilters(
      'mariadb',
      rows(['slave_exec_mode', 'IDEMPOTENT'], ['replicate_events_marked_for_skip', 'REPLICATE']),
    ),
  ).toEqual(['slave_exec_mode=IDEMPOTENT'])
  expect(serverSettingsQuery('mariadb')).toContain("'slave_skip_errors'")
})

test('what a new connection begins with has the same names', () => {
  expect(
    newConnectionFilters([
      { name: 'replicate_do_db', value: '' },
      { name: 'replicate_ignore_db', value: 'scratch' },
    ]),
  ).toEqual(['replicate_ignore_db=scratch'])
})
