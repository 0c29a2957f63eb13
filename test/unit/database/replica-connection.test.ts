import { describe, expect, test } from 'vitest'
import {
  findOurs,
  type RelayAddress,
  readConnections,
} from '../../../src/database/replica-connection.ts'

const UUID = '11111111-2222-3333-4444-555555555555'
const relay: RelayAddress = {
  host: null,
  port: 3307,
  user: 'replica',
  serverId: 4_200_000_001,
  serverUuid: UUID,
}
/** A row of SHOW ALL SLAVES STATUS as far as it tells who the source is. */
function row(name: string, change: Readonly<Record<string, unknown>> = {}) {
  return {
    Connection_name: name,
    Master_Host: '10.0.0.5',
    Master_Port: 3307,
    Master_User: 'replica',
    Master_Server_Id: 0,
    Slave_IO_Running: 'No',
    Slave_SQL_Running: 'Yes',
    ...change,
  }
}
const running = { Slave_IO_Running: 'Yes' }
const ours = { ...running, Master_Server_Id: 4_200_000_001 }
const other = { ...running, Master_Server_Id: 7, Master_Port: 3306, Master_User: 'x' }

function nameOfOurs(rows: readonly object[], change: Partial<RelayAddress> = {}): string | null {
  const connections = readConnections(rows as Record<string, unknown>[])
  return findOurs(connections, { ...relay, ...change })?.name ?? null
}

describe('the connection that comes from this relay', () => {
  test.each([
    ['is the one whose source calls itself as the relay does', [row('a', other), row('b', ours)]],
    ['is that one also behind a translated address', [row('b', { ...ours, Master_Port: 1 })]],
    ['is the one at its port with its user before it connects', [row('a', other), row('b')]],
    ['is likelier there than anywhere else', [row('a', { Master_Port: 13307 }), row('b')]],
    ['may have been connected to a relay of before', [row('b', { Master_Server_Id: 9 })]],
    ['is the one with its user when nothing else is known', [row('b', { Master_Port: 13307 })]],
  ])('%s', (_title, rows) => {
    expect(nameOfOurs(rows)).toBe('b')
  })

  test('is none that another source feeds, or that was pointed elsewhere', () => {
    expect(nameOfOurs([row('a', other)])).toBeNull()
    expect(nameOfOurs([row('a', { ...other, Master_User: 'replica' })])).toBeNull()
    // MariaDB still says the server_id of the source before.
    const moved = { Master_Server_Id: 4_200_000_001, Master_User: 'x' }
    expect(nameOfOurs([row('a', moved)])).toBeNull()
    expect(nameOfOurs([])).toBeNull()
  })

  test('is at the very address, where that is known', () => {
    expect(nameOfOurs([row('b')], { host: '10.0.0.5' })).toBe('b')
    expect(nameOfOurs([row('b')], { host: '10.0.0.6' })).toBeNull()
    expect(nameOfOurs([row('b', ours)], { host: '10.0.0.6' })).toBe('b')
    expect(nameOfOurs([row('b', { ...ours, Slave_IO_Running: 'Connecting' })], { host: 'x' })).toBe(
      null,
    )
  })

  test('is told by the uuid on MySQL; a channel that follows no server is none', () => {
    const mysql = { Source_User: 'replica', Replica_IO_Running: 'Yes', Source_Port: 1 }
    const rows = [
      { ...mysql, Channel_Name: 'group_replication_applier', Source_Host: '<NULL>' },
      { ...mysql, Channel_Name: '', Source_Host: '' },
      { ...mysql, Channel_Name: 'b', Source_Host: 'h', Source_UUID: UUID.toUpperCase() },
    ]
    expect(readConnections(rows)).toHaveLength(1)
    expect(nameOfOurs(rows)).toBe('b')
  })
})
