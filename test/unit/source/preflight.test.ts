import { describe, expect, test } from 'vitest'
import type { Flavor } from '../../../src/base/flavor.ts'
import { type PreflightFinding, preflight, refuseErrors } from '../../../src/source/preflight.ts'
import type { PreflightFacts } from '../../../src/source/preflight-facts.ts'
import type { SourceFacts } from '../../../src/source/source-facts.ts'

const UUID = '3e11fa47-71ca-11e1-9e33-c80aa9429562'
const OUR_UUID = '7f3c0a52-93b1-11ef-8a0f-0242ac120002'

interface Changes {
  readonly source?: Partial<SourceFacts>
  readonly variables?: Readonly<Record<string, string>>
  readonly facts?: Partial<PreflightFacts>
}

/** A source without a flaw, and the changes to it. */
function factsOf(flavor: Flavor, { source, variables, facts }: Changes = {}): PreflightFacts {
  const isMysql = flavor === 'mysql'
  const monitor = isMysql ? 'REPLICATION CLIENT' : 'BINLOG MONITOR'
  return {
    source: {
      flavor,
      serverVersion: isMysql ? '9.7.4' : '10.11.19-MariaDB-log',
      serverId: 1,
      serverUuid: isMysql ? UUID : null,
      gtidDomainId: isMysql ? null : 0,
      logBin: true,
      binlogFormat: 'ROW',
      rowImage: 'FULL',
      checksum: true,
      gtidMode: 'ON',
      netWriteTimeoutSeconds: 60,
      retentionSeconds: 30 * 86_400,
      executedGtids: '',
      replicatedGtids: '',
      purgedGtids: '',
      files: [],
      ...source,
    },
    self: { serverId: 4_100_000_001, replicaUuid: OUR_UUID, reportHost: 'ec2' },
    variables: new Map(
      Object.entries({
        sync_binlog: '1',
        innodb_flush_log_at_trx_commit: '1',
        binlog_expire_logs_seconds: '2592000',
        binlog_row_metadata: 'FULL',
        ...(isMysql && { enforce_gtid_consistency: 'ON' }),
        ...variables,
      }),
    ),
    account: 'landbridge@%',
    grants: [`GRANT REPLICATION SLAVE, ${monitor} ON *.* TO \`landbridge\`@\`%\``],
    replicas: [],
    filter: null,
    sessionNetWriteTimeoutSeconds: 3600,
    clockAheadMs: 12,
    clockErrorMs: 1,
    ...facts,
  }
}

const judge = (flavor: Flavor, changes: Changes = {}): PreflightFinding[] =>
  preflight(factsOf(flavor, changes))

/** What is not well, by code. */
function flaws(flavor: Flavor, changes: Changes): PreflightFinding[] {
  return judge(flavor, changes).filter(({ severity }) => severity !== 'ok')
}

describe.each(['mysql', 'mariadb'] as const)('a %s source', (flavor) => {
  const set = (sql: string) =>
    flavor === 'mysql'
      ? `SET ${sql.replaceAll('@', 'PERSIST')}`
      : `SET ${sql.replaceAll('@', 'GLOBAL')}; -- and in the server’s configuration file`

  test('without a flaw yields only what was looked at, each a sentence without a fix', () => {
    const findings = judge(flavor)
    expect(findings.filter(({ severity }) => severity !== 'ok')).toEqual([])
    expect(findings.every(({ fix }) => fix === null)).toBe(true)
    expect(findings.map(({ code }) => code)).toEqual([
      'ERR_SOURCE_NO_BINLOG',
      'ERR_SOURCE_SERVER_ID',
      'ERR_SOURCE_NO_GTID',
      'ERR_SOURCE_GRANTS',
      'ERR_SOURCE_FORMAT',
      'ERR_SOURCE_CHECKSUM',
      'ERR_SOURCE_RETENTION',
      'ERR_SOURCE_DURABILITY',
      'ERR_SOURCE_ENCRYPTED',
      'ERR_SOURCE_ROWS',
      'ERR_SOURCE_NET_TIMEOUT',
      'ERR_SOURCE_CLOCK',
    ])
  })

  test('that writes no binary log, or has our own server_id, is refused', () => {
    expect(flaws(flavor, { source: { logBin: false } })).toMatchObject([
      { code: 'ERR_SOURCE_NO_BINLOG', severity: 'error' },
    ])
    expect(flaws(flavor, { source: { serverId: 4_100_000_001 } })).toMatchObject([
      {
        code: 'ERR_SOURCE_SERVER_ID',
        severity: 'error',
        message: 'the source itself has our server_id 4100000001',
      },
    ])
  })

  test.each([
    ['MIXED', 'ERR_SOURCE_FORMAT', { binlogFormat: 'MIXED' }, "@ binlog_format = 'ROW'"],
    ['no checksums', 'ERR_SOURCE_CHECKSUM', { checksum: false }, "@ binlog_checksum = 'CRC32'"],
    [
      'a short retention',
      'ERR_SOURCE_RETENTION',
      { retentionSeconds: 7200 },
      '@ binlog_expire_logs_seconds = 604800',
    ],
  ] as const)('with %s is warned of, with the statement that mends it', (_, code, source, sql) => {
    expect(flaws(flavor, { source })).toMatchObject([{ code, severity: 'warning', fix: set(sql) }])
  })

  test('that keeps its files for ever is not warned of; the words say how long it keeps', () => {
    const said = (retentionSeconds: number | null) =>
      judge(flavor, { source: { retentionSeconds } }).find(
        ({ code }) => code === 'ERR_SOURCE_RETENTION',
      )
    expect(said(null)).toMatchObject({ severity: 'ok', message: expect.stringMatching(/never/) })
    expect(said(10 * 86_400)).toMatchObject({ severity: 'ok' })
    expect(said(10 * 86_400)?.message).toContain('10 days')
    expect(said(3600)?.message).toContain('60 minutes only: an outage')
    expect(said(36 * 3600)?.message).toContain('36 hours only')
  })

  test('that does not sync its commits is warned of, with both settings in one statement', () => {
    const variables = { sync_binlog: '0', innodb_flush_log_at_trx_commit: '2' }
    const [flaw] = flaws(flavor, { variables })
    expect(flaw).toMatchObject({ code: 'ERR_SOURCE_DURABILITY', severity: 'warning' })
    expect(flaw?.message).toMatch(/^sync_binlog is 0 and innodb_flush.* is 2: after a crash/)
    expect(flaw?.fix).toBe(set('@ sync_binlog = 1, @ innodb_flush_log_at_trx_commit = 1'))
  })

  test('with encrypted files, filters or a size limit is warned of', () => {
    const encryption = flavor === 'mysql' ? 'binlog_encryption' : 'encrypt_binlog'
    expect(flaws(flavor, { variables: { [encryption]: 'ON' } })).toMatchObject([
      { code: 'ERR_SOURCE_ENCRYPTED', severity: 'warning' },
    ])
    expect(flaws(flavor, { facts: { filter: 'binlog_ignore_db = logs' } })).toMatchObject([
      { code: 'ERR_SOURCE_FILTERED', message: expect.stringContaining('binlog_ignore_db = logs') },
    ])
    expect(flaws(flavor, { variables: { binlog_space_limit: '1000000' } })).toMatchObject([
      { code: 'ERR_SOURCE_RETENTION', fix: set('@ binlog_space_limit = 0') },
    ])
  })

  test('that lets no dump be slow, or whose clock differs, is warned of', () => {
    expect(flaws(flavor, { facts: { sessionNetWriteTimeoutSeconds: 60 } })).toMatchObject([
      { code: 'ERR_SOURCE_NET_TIMEOUT', fix: set('@ net_write_timeout = 3600') },
    ])
    expect(flaws(flavor, { facts: { clockAheadMs: -3210 } })[0]?.message).toMatch(
      /^the source’s clock is 3.2 s behind/,
    )
    expect(flaws(flavor, { facts: { clockAheadMs: 3210, clockErrorMs: 3000 } })).toEqual([])
  })

  test('names what compresses or abbreviates its events without calling it a flaw', () => {
    const compression = flavor === 'mysql' ? 'binlog_transaction_compression' : 'log_bin_compress'
    const variables = { [compression]: 'ON', binlog_row_value_options: 'PARTIAL_JSON' }
    const found = judge(flavor, { source: { rowImage: 'MINIMAL' }, variables })
    expect(found.find(({ code }) => code === 'ERR_SOURCE_ROWS')).toEqual({
      code: 'ERR_SOURCE_ROWS',
      severity: 'ok',
      message:
        'row image MINIMAL, row metadata FULL; JSON updates are written as differences' +
        ` (PARTIAL_JSON); ${compression} is ON, so the link finds little to compress`,
      fix: null,
    })
  })

  test('names exactly the privileges that the login lacks', () => {
    const monitor = flavor === 'mysql' ? 'REPLICATION CLIENT' : 'BINLOG MONITOR'
    const grants = ['GRANT REPLICATION SLAVE ON *.* TO `o``x`@`10.%`']
    expect(flaws(flavor, { facts: { grants, account: "o'x@10.%" } })).toEqual([
      {
        code: 'ERR_SOURCE_GRANTS',
        severity: 'error',
        message: `the login o'x@10.% lacks ${monitor}`,
        fix: `GRANT ${monitor} ON *.* TO 'o''x'@'10.%'`,
      },
    ])
    // On a database, or through a role that is not active, it does not count.
    const elsewhere = ['GRANT USAGE ON *.* TO `a`@`%`', 'GRANT `reader` TO `a`@`%`']
    expect(flaws(flavor, { facts: { grants: elsewhere } })[0]?.message).toBe(
      `the login landbridge@% lacks REPLICATION SLAVE and ${monitor}`,
    )
  })

  test('warns of privileges that reading does not need, and of nothing that only reads', () => {
    const needed = flavor === 'mysql' ? 'REPLICATION CLIENT' : 'BINLOG MONITOR'
    const base = `GRANT SELECT, PROCESS, REPLICATION SLAVE, ${needed} ON *.* TO \`a\`@\`%\``
    expect(flaws(flavor, { facts: { grants: [base] } })).toEqual([])
    const wide = [base, 'GRANT INSERT (a, b), UPDATE ON `shop``s`.* TO `a`@`%`']
    expect(flaws(flavor, { facts: { grants: wide } })).toMatchObject([
      {
        code: 'ERR_SOURCE_GRANTS_WIDE',
        severity: 'warning',
        message: expect.stringMatching(/: INSERT, UPDATE$/),
        fix:
          "REVOKE ALL PRIVILEGES, GRANT OPTION FROM 'landbridge'@'%';" +
          ` GRANT REPLICATION SLAVE, ${needed} ON *.* TO 'landbridge'@'%'`,
      },
    ])
    const all = ['GRANT ALL PRIVILEGES ON *.* TO `a`@`%` WITH GRANT OPTION']
    expect(flaws(flavor, { facts: { grants: all } })).toMatchObject([
      { code: 'ERR_SOURCE_GRANTS_WIDE', message: expect.stringMatching(/ALL PRIVILEGES$/) },
    ])
  })

  test('shows no password hash of a grant', () => {
    const hash = '*B69027D44F6E5EDC07F1AEAD1477967B16F28227'
    const grants = [`GRANT USAGE ON *.* TO \`a\`@\`%\` IDENTIFIED BY PASSWORD '${hash}'`]
    expect(JSON.stringify(judge(flavor, { facts: { grants } }))).not.toContain(hash)
  })
})

describe('a server_id that another replica of the source has', () => {
  const registered = { serverId: 4_100_000_001, uuid: UUID, host: 'other' }

  test('is a warning on MySQL, which tells replicas apart by uuid', () => {
    expect(flaws('mysql', { facts: { replicas: [registered] } })).toMatchObject([
      { code: 'ERR_SOURCE_SERVER_ID', severity: 'warning' },
    ])
    const ourselves = { ...registered, uuid: OUR_UUID }
    expect(flaws('mysql', { facts: { replicas: [ourselves] } })).toEqual([])
  })

  test('is an error on MariaDB, where each would end the other', () => {
    const other = { ...registered, uuid: null }
    expect(flaws('mariadb', { facts: { replicas: [other] } })).toMatchObject([
      {
        code: 'ERR_SOURCE_SERVER_ID',
        severity: 'error',
        message: 'the replica other of the source has our server_id 4100000001',
      },
    ])
    expect(flaws('mariadb', { facts: { replicas: [{ ...other, host: 'ec2' }] } })).toEqual([])
  })

  test('cannot be looked for without the privilege, and that is said', () => {
    const found = judge('mariadb', { facts: { replicas: null } })
    expect(found.find(({ code }) => code === 'ERR_SOURCE_SERVER_ID')).toMatchObject({
      severity: 'ok',
      message: expect.stringMatching(/may not be listed$/),
    })
  })
})

test('MySQL without GTIDs is told the steps from where it stands', () => {
  const fixFrom = (gtidMode: string, consistency: string) =>
    flaws('mysql', {
      source: { gtidMode },
      variables: { enforce_gtid_consistency: consistency },
    })[0]?.fix
  expect(fixFrom('OFF', 'OFF')).toBe(
    'SET PERSIST enforce_gtid_consistency = ON; SET PERSIST gtid_mode = OFF_PERMISSIVE;' +
      ' SET PERSIST gtid_mode = ON_PERMISSIVE; SET PERSIST gtid_mode = ON;',
  )
  expect(fixFrom('ON_PERMISSIVE', 'ON')).toBe('SET PERSIST gtid_mode = ON;')
})

test('server_id 0 is an error, as the server then refuses every replica', () => {
  expect(flaws('mysql', { source: { serverId: 0 } })).toMatchObject([
    { code: 'ERR_SOURCE_SERVER_ID', severity: 'error' },
  ])
})

test('old MariaDB without binlog_expire_logs_seconds is told the older setting', () => {
  const facts = factsOf('mariadb', { source: { retentionSeconds: 86_400 } })
  const variables = new Map([...facts.variables, ['expire_logs_days', '1']])
  variables.delete('binlog_expire_logs_seconds')
  expect(preflight({ ...facts, variables }).find(({ severity }) => severity !== 'ok')?.fix).toMatch(
    /^SET GLOBAL expire_logs_days = 7;/,
  )
})

test('all errors are thrown as one that no retry can mend, with every fix', () => {
  const findings = judge('mysql', { source: { gtidMode: 'OFF' }, facts: { grants: [] } })
  expect(() => refuseErrors(judge('mysql'))).not.toThrow()
  let thrown: unknown
  try {
    refuseErrors(findings)
  } catch (error) {
    thrown = error
  }
  expect(thrown).toMatchObject({
    code: 'ERR_SOURCE_NO_GTID',
    retryable: false,
    message:
      'the source runs gtid_mode=OFF, enforce_gtid_consistency=ON; ' +
      'the login landbridge@% lacks REPLICATION SLAVE and REPLICATION CLIENT',
    remedy:
      'SET PERSIST gtid_mode = OFF_PERMISSIVE; SET PERSIST gtid_mode = ON_PERMISSIVE;' +
      ' SET PERSIST gtid_mode = ON; GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.*' +
      " TO 'landbridge'@'%'",
  })
})
