import { expect, test } from 'vitest'
import type { ReplicaPollerStatus } from '../../../src/database/replica-poller.ts'
import { describeMysqlReplica } from '../../../src/database/replica-threads.ts'
import { unloggedProblems } from '../../../src/database/unlogged-problems.ts'
import {
  relayProblems,
  replicaProblems,
  resetProblems,
} from '../../../src/gateway/replica-problems.ts'
import type { ReceiveLag } from '../../../src/progress/receive-lag.ts'
import type { RelayStatus } from '../../../src/relay/relay-server.ts'
import type { LeftOut } from '../../../src/spool/served-replicas.ts'
import type { ReplicaStanding } from '../../../src/status/replica-standing.ts'
import { replicaStatus } from '../../helpers/status/status-fixture.ts'

const up: ReplicaPollerStatus = {
  state: 'up',
  identity: { flavor: 'mysql', serverId: 2, serverUuid: null, version: '9.7.4' },
  appliedGtids: '',
  answeredAgoMs: 10,
  stopReason: null,
  isApplying: true,
  delaySeconds: 0,
  remainingDelaySeconds: null,
  filters: [],
  filteredSinceMs: null,
  stoppedSinceMs: null,
  error: null,
}
const listening: RelayStatus = {
  state: 'listening',
  address: '127.0.0.1:3307',
  connections: 0,
  refused: [],
  replicas: [],
  lastError: null,
  dumpError: null,
}

/** A stream as far as its problems depend on relay and replica. */
function problemsOf(
  asked: Partial<ReplicaPollerStatus>,
  relay: Partial<RelayStatus> = {},
  nowMs = 1_000,
  outdated: readonly string[] = [],
  standings: Readonly<Record<string, ReplicaStanding>> = {},
  leftOut: Readonly<Record<string, LeftOut>> = {},
  unlogged: ReturnType<ReceiveLag['unlogged']> = null,
) {
  const lineage = { epoch: 2, startedAtMs: 1_700_000_000_000, reason: 'was reset' }
  const facts = {
    stream: 'main',
    relay: { ...listening, ...relay },
    asked: { ...up, ...asked },
    spool: {
      lineage: () => lineage,
      claims: {
        outdatedReplicas: () => outdated,
        standing: (id: string) => standings[id] ?? (outdated.includes(id) ? 'outdated' : 'sound'),
        leftOut: (id: string) => leftOut[id] ?? null,
      },
    },
  } as const
  return [
    ...resetProblems(facts),
    ...unloggedProblems('main', unlogged, facts.asked),
    ...relayProblems(facts),
    ...replicaProblems(facts, nowMs),
  ]
}

const notSetUp = describeMysqlReplica([])

test('a replica that was never attached is a warning with the command that attaches it', () => {
  expect(problemsOf({ stopReason: notSetUp, stoppedSinceMs: 5 })).toEqual([
    {
      code: 'ERR_REPLICA_STOPPED',
      severity: 'warning',
      where: 'replica:main',
      message: 'the replica does not follow this gateway yet',
      remedy: 'landbridge replica attach --config FILE',
      sinceMs: 5,
    },
  ])
})

test('replicas of before a reset of the source are blocked until they are detached', () => {
  expect(problemsOf({}, {}, 1_000, ['id:2', 'id:3'])).toMatchObject([
    {
      code: 'ERR_SOURCE_RESET',
      severity: 'warning',
      where: 'spool:main',
      message: expect.stringMatching(/reset \(noticed 2023-11-14T22:13:20\.000Z\): epoch 2/),
    },
    {
      code: 'ERR_REPLICA_OUTDATED',
      severity: 'blocked',
      where: 'replica:main',
      message: expect.stringMatching(/^replicas id:2, id:3 have/),
      remedy: expect.stringMatching(/backup taken after that.*landbridge replica detach ID/),
    },
  ])
  expect(problemsOf({}, {}, 1_000, [])).toEqual([])
})

test('so are those that came or were asked since, remembered or not, and no others', () => {
  const replicas = [{ ...replicaStatus, serverId: 7, serverUuid: null }]
  const standings = { 'id:7': 'outdated', 'id:2': 'doubtful', 'id:3': 'outdated' } as const
  expect(problemsOf({}, { replicas }, 1_000, [], standings)).toMatchObject([
    { code: 'ERR_SOURCE_RESET' },
    { code: 'ERR_REPLICA_OUTDATED', message: expect.stringMatching(/^replica id:7 has/) },
    {
      code: 'ERR_REPLICA_UNPROVEN',
      message: expect.stringMatching(/^replica id:2 is not served/),
      remedy: expect.stringMatching(/has fed it since then, run: landbridge replica detach id:2/),
    },
  ])
})

test('a replica that leaves out data is an error, and stays one when the setting is gone', () => {
  const filters = ['IGNORE_DOMAIN_IDS=7']
  expect(problemsOf({ filters, filteredSinceMs: 5 })).toMatchObject([
    {
      code: 'ERR_REPLICA_FILTERED',
      severity: 'error',
      message: expect.stringMatching(/leaves out data.*: IGNORE_DOMAIN_IDS=7$/),
      remedy: expect.stringMatching(/restore the replica/),
      sinceMs: 5,
    },
  ])
  const leftOut = { 'id:2': { settings: 'IGNORE_DOMAIN_IDS=7', sinceMs: 4 } }
  expect(problemsOf({}, {}, 1_000, [], {}, leftOut)).toMatchObject([
    {
      code: 'ERR_REPLICA_FILTERED',
      message: expect.stringMatching(/left out data.*: it had IGNORE_DOMAIN_IDS=7$/),
      remedy: expect.stringMatching(/^Restore it .*landbridge replica detach id:2/),
      sinceMs: 4,
    },
  ])
})

test('one that was attached and forgot it, or stopped, is an error', () => {
  expect(
    problemsOf({ stopReason: notSetUp, stoppedSinceMs: 5 }, { replicas: [replicaStatus] }),
  ).toMatchObject([{ code: 'ERR_REPLICA_STOPPED', severity: 'error', sinceMs: 5 }])
  expect(problemsOf({ stopReason: 'applier: error 1062', stoppedSinceMs: 7 })).toMatchObject([
    { severity: 'error', message: expect.stringMatching(/applier: error 1062$/), sinceMs: 7 },
  ])
})

test('a stopped replica is only started, one that failed has to be mended first', () => {
  const remedyOf = (stopReason: string) => problemsOf({ stopReason })[0]?.remedy
  expect(remedyOf('stopped: receiver and applier')).toMatch(/^landbridge replica attach/)
  expect(remedyOf('worker: Duplicate entry')).toMatch(/^Mend at the replica/)
})

test('a replica that cannot be asked and a relay that does not listen say since when', () => {
  const remedy = 'see that it runs'
  const error = { code: 'ERR_REPLICA_UNREACHABLE', message: 'cannot ask', remedy, sinceMs: 11 }
  const lastError = { code: 'EADDRINUSE', message: 'listen EADDRINUSE', sinceMs: 12 }
  expect(problemsOf({ error }, { state: 'down', lastError })).toMatchObject([
    { code: 'EADDRINUSE', where: 'relay:main', sinceMs: 12 },
    { code: 'ERR_REPLICA_UNREACHABLE', severity: 'warning', remedy, sinceMs: 11 },
  ])
})

test('a replica that stays away becomes an error: it could not take over', () => {
  const error = { code: 'ERR_REPLICA_UNREACHABLE', message: 'refused', remedy: null, sinceMs: 0 }
  expect(problemsOf({ error }, {}, 10_000)).toMatchObject([{ severity: 'warning' }])
  expect(problemsOf({ error }, {}, 40_000)).toMatchObject([{ severity: 'error' }])
})

test('a relay that cannot serve a replica says which and why', () => {
  const dumpError = { code: 'ERR_SPOOL_FILE', message: 'cut', replica: 'id:9', sinceMs: 3, atMs: 9 }
  expect(problemsOf({}, { dumpError })).toEqual([
    {
      code: 'ERR_SPOOL_FILE',
      severity: 'error',
      where: 'relay:main',
      message: 'replica id:9 cannot be served: cut',
      sinceMs: 3,
    },
  ])
})

test('names what the source never wrote to its log, until the replica has it', () => {
  const uuid = '11111111-2222-3333-4444-555555555555'
  const unlogged = { gtids: `${uuid}:1-100`, count: 100, sinceMs: 500 }
  const problems = (asked: Partial<ReplicaPollerStatus>) => {
    return problemsOf(asked, {}, 1_000, [], {}, {}, unlogged)
  }
  expect(problems({ appliedGtids: `${uuid}:1-99` })).toEqual([
    {
      code: 'ERR_SOURCE_UNLOGGED',
      severity: 'error',
      where: 'replica:main',
      message:
        'the source counts 1 transaction as executed that none of its binary logs has, so no ' +
        `copy gets them: ${uuid}:100`,
      remedy: expect.stringContaining(`SET GLOBAL gtid_purged = '+${uuid}:100'`),
      sinceMs: 500,
    },
  ])
  expect(problems({ appliedGtids: `${uuid}:1-100` })).toEqual([])
  expect(problems({ identity: null, appliedGtids: null })).toMatchObject([
    { code: 'ERR_SOURCE_UNLOGGED', severity: 'warning' },
  ])
})
