import { sessionStatements } from '../../../src/source/dump-request.ts'

const SESSION = {
  heartbeatMs: 5_000,
  serverId: 7,
  replicaUuid: '11111111-2222-3333-4444-555555555555',
} as const

/** What replicas, `mysqlbinlog`, drivers and people send to a binlog server. */
export const CLIENT_STATEMENTS: readonly string[] = [
  ...sessionStatements({ ...SESSION, flavor: 'mysql', connectState: null }),
  ...sessionStatements({ ...SESSION, flavor: 'mariadb', connectState: '0-7-10,1-8-2' }),
  'SELECT UNIX_TIMESTAMP(), @@GLOBAL.SERVER_ID AS id, @slave_uuid',
  'SELECT @@version_comment LIMIT 1',
  "SELECT binlog_gtid_pos('binlog.000001', 4), connection_id(), database(), version(), null",
  'SHOW VARIABLES',
  "SHOW GLOBAL VARIABLES LIKE 'gtid_%'",
  "show session variables where variable_name in ('server_id', 'server_uuid')",
  "SHOW VARIABLES WHERE Variable_name LIKE '%sum'",
  "SHOW VARIABLES WHERE Variable_name = 'version'",
  'SHOW BINARY LOGS',
  'SHOW MASTER LOGS;',
  'SHOW BINARY LOG STATUS',
  'SHOW MASTER STATUS',
  'SHOW BINLOG STATUS',
  'SHOW WARNINGS',
  'SHOW FULL PROCESSLIST',
  'SHOW SLAVE HOSTS',
  'SHOW REPLICAS',
  "SHOW /*!50002 GLOBAL */ STATUS LIKE 'Thr%'",
  "SHOW BINLOG EVENTS IN 'binlog.000001' FROM 4 LIMIT 1, 2",
  'SET NAMES utf8mb4',
  "SET autocommit=1, SESSION sql_mode = '', @a := @@gtid_mode, @b = `x``y`",
  'KILL HARD 5',
  'KILL CONNECTION 77 /* old */',
  'BEGIN # a remark\n',
  'SELECT 1 -- one\n, -2.5, "a\\"b""c"',
]
