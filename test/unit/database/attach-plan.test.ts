import { describe, expect, test } from 'vitest'
import { Secret } from '../../../src/base/secret.ts'
import { type AttachChoice, planAttach } from '../../../src/database/attach-plan.ts'
import type { AttachTarget } from '../../../src/database/attach-statements.ts'
import type { RelayFacts, ReplicaFacts } from '../../../src/database/replica-facts.ts'

const SOURCE = '3e11fa47-71ca-11e1-9e33-c80aa9429562'
const RELAY = '11111111-2222-3333-4444-555555555555'
const OWN = '22222222-2222-3333-4444-555555555555'

const replica: ReplicaFacts = {
  flavor: 'mysql',
  version: '9.7.4',
  serverId: 2,
  serverUuid: OWN,
  gtidMode: 'ON',
  gtids: `${SOURCE}:1-5`,
  isReadOnly: true,
  insistsOnCompression: false,
  backslashEscapes: true,
  following: null,
  others: [],
  filters: [],
  newFilters: [],
  settings: {},
}

const relay: RelayFacts = {
  flavor: 'mysql',
  serverId: 4_200_000_001,
  serverUuid: RELAY,
  sourceServerId: 1,
  sourceServerUuid: SOURCE,
  gtids: `${SOURCE}:1-9`,
  purgedGtids: `${SOURCE}:1-3`,
  resetAt: null,
  standing: 'sound',
}

const following = {
  name: '',
  host: 'relay.example',
  port: 3307,
  user: 'replica',
  usesGtid: true,
  caPath: '/etc/mysql/ca.crt',
  sourceServerId: null,
  sourceUuid: null,
  receiver: 'running',
  applier: 'running',
  receiverError: null,
  applierError: null,
  lagSeconds: 0,
  delaySeconds: 0,
  remainingDelaySeconds: null,
  filters: [],
} as const

const target = {
  host: 'relay.example',
  port: 3307,
  user: 'replica',
  password: new Secret("a'b\\c"),
  caPath: '/etc/mysql/ca.crt',
  isNamed: () => true,
}

function findings(ofReplica: Partial<ReplicaFacts>, ofRelay: Partial<RelayFacts> = {}): string[] {
  const options = { replace: false }
  const facts = { ...replica, ...ofReplica }
  const plan = planAttach(facts, { ...relay, ...ofRelay }, target, options)
  return plan.findings.map(({ severity, message }) => `${severity}: ${message}`)
}

test('a fresh replica is attached by two statements without anything against it', () => {
  const plan = planAttach(replica, relay, target, { replace: false })
  expect(plan.findings).toEqual([])
  expect(plan.action).toBe('attach')
  const [change, start] = plan.statements
  expect(change?.sql).toContain("SOURCE_PASSWORD='a''b\\\\c', SOURCE_AUTO_POSITION=1")
  expect(change?.shown).toContain("SOURCE_PASSWORD='********'")
  expect(change?.shown).not.toContain("a''b")
  expect(start?.sql).toBe("START REPLICA FOR CHANNEL ''")
})

test('a replica of before a reset of the source is refused, with the way back', () => {
  const resetAt = '2026-01-02T03:04:05.000Z'
  for (const standing of ['outdated', 'doubtful'] as const) {
    const plan = planAttach(replica, { ...relay, resetAt, standing }, target, { replace: true })
    expect(plan.findings).toMatchObject([
      {
        severity: 'error',
        message: expect.stringContaining('source was reset'),
        remedy: expect.stringContaining(`landbridge replica detach ${OWN}`),
      },
    ])
  }
  expect(findings({}, { resetAt })).toEqual([])
})

test('after a reset of the source a replica that was never served is not known to be sound', () => {
  const unseen = { resetAt: '2026-01-02T03:04:05.000Z', standing: 'unseen' } as const
  expect(findings({ gtids: '' }, { ...unseen, purgedGtids: '' })).toEqual([])
  expect(findings({}, unseen)).toEqual([
    expect.stringMatching(/^warning: the source was reset.* GTIDs cannot tell/),
  ])
})

describe('text in SQL', () => {
  const changeOf = (facts: Partial<ReplicaFacts>) =>
    planAttach({ ...replica, ...facts }, null, target, { replace: false }).statements[0]?.sql

  test('has its backslashes doubled where they escape, and only there', () => {
    expect(changeOf({})).toContain("SOURCE_PASSWORD='a''b\\\\c',")
    expect(changeOf({ backslashEscapes: false })).toContain("SOURCE_PASSWORD='a''b\\c',")
    const mariadb = { flavor: 'mariadb', backslashEscapes: false } as const
    expect(changeOf(mariadb)).toContain("MASTER_PASSWORD='a''b\\c',")
  })
})

describe('the relay', () => {
  const planFor = (changes: Partial<AttachTarget>, facts = replica) =>
    planAttach(facts, relay, { ...target, ...changes }, { replace: false })

  test('is verified by authority and name, and never asked for a key of its own', () => {
    const { findings: none, statements } = planFor({})
    expect(none).toEqual([])
    expect(statements[0]?.sql).toContain(
      "SOURCE_SSL_CA='/etc/mysql/ca.crt', SOURCE_SSL_VERIFY_SERVER_CERT=1,",
    )
    expect(statements[0]?.sql).toContain('GET_SOURCE_PUBLIC_KEY=0')
  })

  test('is not verified without an authority, which is said with the way to change it', () => {
    const { findings: found, statements } = planFor({ caPath: null })
    expect(found).toMatchObject([
      {
        severity: 'warning',
        message: expect.stringContaining('will not verify the relay'),
        remedy: expect.stringMatching(/certs\/ca\.crt.*--relay-ca/),
      },
    ])
    expect(statements[0]?.sql).toContain("SOURCE_SSL_CA='', SOURCE_SSL_VERIFY_SERVER_CERT=0,")
  })

  test('is verified by authority alone where its certificate has another name', () => {
    const { findings: found, statements } = planFor({ isNamed: () => false })
    expect(found).toMatchObject([
      { severity: 'warning', message: expect.stringContaining('does not name relay.example') },
    ])
    expect(statements[0]?.sql).toContain(
      "SOURCE_SSL_CA='/etc/mysql/ca.crt', SOURCE_SSL_VERIFY_SERVER_CERT=0,",
    )
  })

  test('is verified from now on when a replica of it is attached again with an authority', () => {
    const unverified = { ...replica, following: { ...following, caPath: null } }
    const { action, findings: none, statements } = planFor({}, unverified)
    expect([action, none]).toEqual(['attach', []])
    expect(statements[0]?.sql).toBe("STOP REPLICA FOR CHANNEL ''")
    expect(planFor({ caPath: null }, unverified).action).toBe('none')
  })
})

test('one that follows the relay is left alone, or only started', () => {
  const running = { ...replica, following }
  expect(planAttach(running, relay, target, { replace: false }).action).toBe('none')
  const stopped = { ...replica, following: { ...following, applier: 'stopped' as const } }
  expect(planAttach(stopped, relay, target, { replace: false })).toMatchObject({
    action: 'start',
    statements: [{ sql: "START REPLICA FOR CHANNEL ''" }],
  })
})

test('one that follows something else is left there unless it is to be replaced', () => {
  const other = { ...replica, others: [{ ...following, host: 'elsewhere' }] }
  const kept = planAttach(other, relay, target, { replace: false })
  expect(kept.findings[0]?.message).toBe('the replica follows elsewhere:3307')
  const replaced = planAttach(other, relay, target, { replace: true })
  expect(replaced.findings).toEqual([])
  expect(replaced.statements[0]?.sql).toBe("STOP REPLICA FOR CHANNEL ''")
})

describe('what a connection was told before', () => {
  const found = { SOURCE_DELAY: '3600', SOURCE_COMPRESSION_ALGORITHMS: 'zstd', SOURCE_BIND: 'eth1' }
  const elsewhere = { ...following, host: 'elsewhere', delaySeconds: 3600 }
  const planOf = (facts: Partial<ReplicaFacts>, choice: Partial<AttachChoice> = {}) => {
    const all = { ...replica, settings: { '': found }, ...facts }
    const unverified = { ...target, caPath: null }
    return planAttach(all, relay, unverified, { replace: true, ...choice })
  }
  const changedBy = (plan: ReturnType<typeof planOf>) =>
    plan.changes.map(({ option, before, after }) => `${option} ${before} ${after}`)

  test('for another source is told anew, and what it was is said', () => {
    const plan = planOf({ others: [elsewhere] })
    expect(plan.statements[1]?.sql).toMatch(
      /COMPRESSION_ALGORITHMS='uncompressed', .*SOURCE_DELAY=0, SOURCE_BIND='', .*SERVER_IDS=\(\)/,
    )
    expect(changedBy(plan)).toEqual([
      'SOURCE_SSL_CA /etc/mysql/ca.crt ',
      'SOURCE_COMPRESSION_ALGORITHMS zstd uncompressed',
      'SOURCE_DELAY 3600 0',
      'SOURCE_BIND eth1 ',
    ])
    expect(plan.findings.map(({ remedy }) => remedy)).toContain('use --delay 3600 to keep it')
  })

  test('is a delay that stays where a person asks for it', () => {
    const { findings: all, statements } = planOf({ others: [elsewhere] }, { delaySeconds: 3600 })
    expect(all.map(({ message }) => message)).toContain(
      'the replica applies 3600 seconds late on purpose',
    )
    expect(statements[1]?.sql).toContain('SOURCE_DELAY=3600')
  })

  test('for this relay stays, but for what cannot work', () => {
    const ours = { ...following, receiver: 'connecting', delaySeconds: 3600 } as const
    const plan = planOf({ following: ours })
    expect(changedBy(plan)).toEqual(['SOURCE_COMPRESSION_ALGORITHMS zstd uncompressed'])
    expect(plan.statements[1]?.sql).not.toMatch(/DELAY|BIND|SSL_CA/)
    expect(changedBy(planOf({ following: ours }, { delaySeconds: 0 }))).toContain(
      'SOURCE_DELAY 3600 0',
    )
  })

  test('that makes it give up, or leave, is changed though it runs', () => {
    const endless = { SOURCE_RETRY_COUNT: '0', SOURCE_CONNECTION_AUTO_FAILOVER: '0' }
    const actionOf = (settings: Record<string, string>) =>
      planOf({ following, settings: { '': { ...endless, ...settings } } }).action
    expect(actionOf({})).toBe('none')
    expect(actionOf({ SOURCE_RETRY_COUNT: '10' })).toBe('attach')
    expect(actionOf({ SOURCE_CONNECTION_AUTO_FAILOVER: '1' })).toBe('attach')
    expect(actionOf({ SOURCE_COMPRESSION_ALGORITHMS: 'zstd,zlib' })).toBe('attach')
    expect(actionOf({ SOURCE_COMPRESSION_ALGORITHMS: 'zstd,uncompressed' })).toBe('none')
  })

  test('is told anew also where it cannot be seen, which is said', () => {
    const { findings: all } = planOf({ others: [elsewhere], settings: null })
    expect(all.map(({ message }) => message)).toContainEqual(
      expect.stringContaining('cannot be seen with this login'),
    )
  })
})

test('one that follows the relay but does not receive is told the password again', () => {
  const refused = { ...following, receiver: 'connecting', receiverError: '1045' } as const
  const plan = planAttach({ ...replica, following: refused }, relay, target, { replace: false })
  expect(plan.action).toBe('attach')
  expect(plan.statements.map(({ shown }) => shown)).toEqual([
    "STOP REPLICA FOR CHANNEL ''",
    expect.stringContaining("SOURCE_PASSWORD='********'"),
    "START REPLICA FOR CHANNEL ''",
  ])
})

describe('of several connections only ours', () => {
  const elsewhere = { ...following, name: 'oth', host: 'elsewhere', receiver: 'stopped' } as const
  const sqlOf = (facts: Partial<ReplicaFacts>, choice: Partial<AttachChoice> = {}) => {
    const plan = planAttach({ ...replica, ...facts }, relay, target, { replace: false, ...choice })
    return plan.statements.map(({ shown }) => shown)
  }
  const moved = { ...following, name: 'lb', host: 'moved' }

  test('is made, whatever else is followed, under the name that is asked for', () => {
    const others = [elsewhere]
    expect(sqlOf({ others })).toEqual([
      expect.stringMatching(/^CHANGE REPLICATION SOURCE TO .* FOR CHANNEL ''$/),
      "START REPLICA FOR CHANNEL ''",
    ])
    expect(sqlOf({ others, flavor: 'mariadb' }, { channel: "l'b" })).toEqual([
      expect.stringMatching(/^CHANGE MASTER 'l''b' TO MASTER_HOST/),
      "START SLAVE 'l''b'",
    ])
    expect(findings({ others })).toEqual([
      'warning: the replica follows other sources besides: elsewhere:3307 (oth)',
    ])
  })

  test('keeps the address by which it reaches the relay, and its name', () => {
    expect(sqlOf({ following: moved, others: [elsewhere] })).toEqual([])
    expect(findings({ following: moved })).toEqual([
      'warning: the replica reaches this relay at moved:3307 (lb)',
    ])
    const unverified = { ...moved, caPath: null }
    expect(sqlOf({ following: unverified })[1]).toMatch(/SOURCE_HOST='moved'.* FOR CHANNEL 'lb'$/)
    expect(sqlOf({ following: moved, others: [elsewhere] }, { replace: true })).toEqual([
      "STOP REPLICA FOR CHANNEL 'lb'",
      expect.stringMatching(/SOURCE_HOST='relay\.example'.* FOR CHANNEL 'lb'$/),
      "START REPLICA FOR CHANNEL 'lb'",
    ])
  })

  test('is started, and taken over only where it is named', () => {
    const stopped = { ...following, name: 'lb', applier: 'stopped' } as const
    const others = [elsewhere]
    expect(sqlOf({ following: stopped, others, flavor: 'mariadb' })).toEqual(["START SLAVE 'lb'"])
    const plan = planAttach({ ...replica, others }, relay, target, {
      replace: true,
      channel: 'oth',
    })
    expect(plan.findings).toEqual([])
    expect(plan.statements[0]?.sql).toBe("STOP REPLICA FOR CHANNEL 'oth'")
  })

  test('is what a delay is told of', () => {
    expect(findings({ following: { ...following, delaySeconds: 3600 } })).toEqual([
      'warning: the replica applies 3600 seconds late on purpose',
    ])
    expect(findings({ following, others: [{ ...elsewhere, delaySeconds: 3600 }] })).toEqual([
      expect.stringContaining('other sources besides'),
    ])
  })
})

describe('a replica that leaves out data', () => {
  const filtered = { ...following, filters: ['replicate_ignore_table=d.t'] }
  const message = (setting: string) =>
    `the replica leaves out data, and cannot take over: ${setting}`

  test('is refused, whether the setting is of ours, of a new one or of the server', () => {
    const ofOurs = findings({ following: filtered, newFilters: ['replicate_do_db=x'] })
    expect(ofOurs).toEqual([`error: ${message('replicate_ignore_table=d.t')}`])
    const ofNew = findings({ newFilters: ['replicate_do_db=x'] })
    expect(ofNew).toEqual([`error: ${message('replicate_do_db=x')}`])
    const ofServer = findings({ following, filters: ['replica_skip_errors=1062'] })
    expect(ofServer).toEqual([`error: ${message('replica_skip_errors=1062')}`])
    expect(findings({ newFilters: null })).toEqual([
      'warning: whether the replica would leave out data cannot be seen with this login',
    ])
  })

  test('is attached where that is accepted; the setting of another source is no matter', () => {
    const choice = { replace: false, filters: 'accept' } as const
    const plan = planAttach({ ...replica, following: filtered }, relay, target, choice)
    expect(plan.findings).toMatchObject([{ severity: 'warning' }])
    expect(findings({ following, others: [{ ...filtered, name: 'oth' }] })).toEqual([
      expect.stringContaining('other sources besides'),
    ])
  })
})

describe('filters that are to be taken back', () => {
  const filters = ['replicate_do_db=a', 'IGNORE_SERVER_IDS=5', 'sql_slave_skip_counter=1']
  const planOf = (facts: Partial<ReplicaFacts>, choice: Partial<AttachChoice> = {}) =>
    planAttach({ ...replica, ...facts }, relay, target, {
      replace: true,
      filters: 'clear',
      ...choice,
    })

  test('have a statement behind CHANGE, or are an option of it', () => {
    const lb = { ...following, name: 'l`b', host: 'elsewhere', filters: filters.slice(0, 2) }
    const maria = { flavor: 'mariadb', gtids: '' } as const
    const plan = planAttach({ ...replica, ...maria, others: [lb] }, null, target, {
      replace: true,
      channel: 'l`b',
      filters: 'clear',
    })
    expect(plan.statements.map(({ sql }) => sql)).toEqual([
      "STOP SLAVE 'l`b'",
      expect.stringMatching(/IGNORE_SERVER_IDS=\(\), DO_DOMAIN_IDS=\(\), IGNORE_DOMAIN_IDS=\(\)$/),
      "SET GLOBAL `l``b`.replicate_do_db = ''",
      "START SLAVE 'l`b'",
    ])
    expect(plan.findings).toMatchObject([
      { severity: 'warning', message: expect.stringContaining('left out data until now') },
    ])
  })

  test('stay, with those of CHANGE, where one of them cannot be taken back', () => {
    const plan = planOf({ following: { ...following, filters } })
    expect(plan.findings.map(({ severity, message }) => `${severity}: ${message}`)).toEqual([
      'warning: the replica left out data until now: replicate_do_db=a, IGNORE_SERVER_IDS=5',
      expect.stringMatching(/^error: .*: sql_slave_skip_counter=1$/),
    ])
  })

  test('are those that a new channel would begin with as well', () => {
    const plan = planOf({ newFilters: ['replicate_do_db=a'] })
    expect(plan.statements.map(({ sql }) => sql)[1]).toBe(
      "CHANGE REPLICATION FILTER REPLICATE_DO_DB = () FOR CHANNEL ''",
    )
  })

  test('are not touched where they are accepted', () => {
    const plan = planOf(
      { following: { ...following, receiver: 'stopped', filters } },
      { filters: 'accept' },
    )
    expect(plan.statements[1]?.sql).not.toContain('SERVER_IDS')
    expect(plan.statements).toHaveLength(3)
  })
})

describe('what speaks against it is named', () => {
  test.each([
    [{ serverId: 1 }, 'error: the replica has server_id 1, as the source or the relay has'],
    [{ serverUuid: SOURCE }, "error: the replica has the source's server_uuid"],
    [
      { insistsOnCompression: true },
      'error: the replica has replica_compressed_protocol=ON: it could not connect to a relay',
    ],
    [{ gtidMode: 'OFF' }, 'error: the replica has gtid_mode=OFF'],
    [{ isReadOnly: false }, 'warning: the replica takes writes from anybody: it can diverge'],
    [
      { gtids: `${SOURCE}:1-2` },
      `error: the replica lacks transactions that are no longer stored: ${SOURCE}:3`,
    ],
    [
      { gtids: `${SOURCE}:1-12` },
      `error: the replica has transactions of the source that are not stored: ${SOURCE}:10-12`,
    ],
    [
      { gtids: `${SOURCE}:1-5,${OWN}:1-2` },
      `warning: the replica has transactions of its own: ${OWN}:1-2`,
    ],
  ])('%o', (facts, message) => {
    expect(findings(facts)).toEqual([message])
  })

  test('another family', () => {
    expect(findings({}, { flavor: 'mariadb' })).toEqual([
      'error: the replica is mysql, the source mariadb',
    ])
  })

  test('a MariaDB position that is not stored', () => {
    const maria = { flavor: 'mariadb', serverUuid: null } as const
    const stored = { flavor: 'mariadb', gtids: '0-1-9', purgedGtids: '' } as const
    expect(findings({ ...maria, gtids: '0-1-5' }, stored)).toEqual([])
    expect(findings({ ...maria, gtids: '0-1-12' }, stored)).toEqual([
      'error: the replica stands at 0-1-12, which is not stored',
    ])
    // A domain that the relay has nothing of: it would serve this replica.
    expect(findings({ ...maria, gtids: '0-1-5,7-9-3' }, stored)).toEqual([])
  })
})
