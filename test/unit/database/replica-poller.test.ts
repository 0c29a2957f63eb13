import { describe, expect, test } from 'vitest'
import { ReplicaPoller } from '../../../src/database/replica-poller.ts'
import type { ReplicaQueries } from '../../../src/database/replica-queries.ts'
import {
  describeMariadbReplica,
  describeMysqlReplica,
} from '../../../src/database/replica-threads.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'

function setUp() {
  const clock = new FakeClock()
  const seen: string[] = []
  const replica = {
    gtids: '0-1-1',
    behind: false,
    questions: 0,
    opened: 0,
    closed: 0,
    failure: null as Error | null,
    hang: false,
    stopReason: null as string | null,
    filters: [] as string[],
  }
  const queries: ReplicaQueries = {
    identity: { flavor: 'mariadb', serverId: 7, serverUuid: null, version: '10.11' },
    replication: async () => {
      const { stopReason } = replica
      const { filters } = replica
      const isApplying = stopReason === null
      return { stopReason, isApplying, delaySeconds: 0, remainingDelaySeconds: null, filters }
    },
    applied: async () => {
      replica.questions += 1
      if (replica.failure !== null) throw replica.failure
      if (replica.hang) await new Promise(() => {})
      return replica.gtids
    },
    close: () => {
      replica.closed += 1
    },
  }
  const poller = new ReplicaPoller({
    clock,
    open: async () => {
      replica.opened += 1
      if (replica.failure !== null) throw replica.failure
      return queries
    },
    onApplied: (gtids) => seen.push(gtids),
    onReplication: () => undefined,
    isBehind: () => replica.behind,
  })
  const stopping = new AbortController()
  const running = poller.run(stopping.signal)
  const stop = async (): Promise<void> => {
    stopping.abort()
    await running
  }
  return { clock, seen, replica, poller, stop }
}

describe('replica poller', () => {
  test('asks once a second when idle and ten times a second while behind', async () => {
    const { clock, replica, poller, seen, stop } = setUp()
    expect(poller.status().state).toBe('connecting')
    await clock.advance(10_000)
    expect(replica.questions).toBe(11)
    expect(poller.status()).toMatchObject({ state: 'up', appliedGtids: '0-1-1', error: null })
    expect(poller.status().identity?.serverId).toBe(7)
    replica.behind = true
    await clock.advance(10_000)
    expect(replica.questions).toBeGreaterThan(95)
    expect(replica.questions).toBeLessThan(115)
    expect(seen.length).toBe(replica.questions)
    await stop()
    expect(replica.closed).toBe(1)
    expect(clock.sleeping).toBe(0)
  })

  test('a nudge makes an idle poller ask at once, and not twice', async () => {
    const { clock, replica, poller, stop } = setUp()
    await clock.advance(100)
    expect(replica.questions).toBe(1)
    replica.behind = true
    poller.nudge()
    await clock.advance(10)
    expect(replica.questions).toBe(2)
    poller.nudge()
    await clock.advance(20)
    expect(replica.questions).toBe(2)
    await clock.advance(40)
    expect(replica.questions).toBe(3)
    await stop()
  })

  test('reconnects by itself, says why it is down, and keeps what it knew', async () => {
    const { clock, replica, poller, stop } = setUp()
    await clock.advance(100)
    replica.failure = Object.assign(new Error('gone'), { code: 'ECONNRESET' })
    await clock.advance(30_000)
    expect(replica.opened).toBeGreaterThan(3)
    const error = {
      code: 'ECONNRESET',
      message: 'gone',
      remedy: null,
      sinceMs: 1_700_000_001_000,
    }
    expect(poller.status()).toMatchObject({ state: 'down', error, appliedGtids: '0-1-1' })
    expect(poller.status().answeredAgoMs).toBe(30_100)
    replica.failure = null
    await clock.advance(6_000)
    expect(poller.status()).toMatchObject({ state: 'up', error: null })
    await stop()
  })

  test('remembers since when replication on the replica does not run', async () => {
    const { clock, replica, poller, stop } = setUp()
    await clock.advance(5_000)
    replica.stopReason = 'stopped: applier'
    await clock.advance(5_000)
    const since = { stopReason: 'stopped: applier', stoppedSinceMs: 1_700_000_006_000 }
    expect(poller.status()).toMatchObject(since)
    replica.stopReason = null
    await clock.advance(2_000)
    expect(poller.status()).toMatchObject({ stopReason: null, stoppedSinceMs: null })
    await stop()
  })

  test('stops while a question hangs', async () => {
    const { clock, replica, stop } = setUp()
    await clock.advance(100)
    replica.hang = true
    await clock.advance(2_000)
    await stop()
    expect(replica.closed).toBe(1)
  })
})

describe('why replication does not run', () => {
  test('MySQL: the worker that failed says more than the coordinator', () => {
    const row = (thread: string, state: string, number: number, message: string) => ({
      thread,
      state,
      number,
      message,
    })
    expect(describeMysqlReplica([])).toMatch(/not set up/)
    const fine = [row('receiver', 'ON', 0, ''), row('applier', 'ON', 0, '')]
    expect(describeMysqlReplica(fine)).toBeNull()
    expect(
      describeMysqlReplica([row('receiver', 'OFF', 0, ''), row('applier', 'OFF', 0, '')]),
    ).toBe('stopped: receiver and applier')
    const failed = [
      row('receiver', 'ON', 0, ''),
      row('coordinator', 'ON', 1062, 'see the worker'),
      row('worker', 'ON', 1062, "Duplicate entry\n'1'"),
    ]
    expect(describeMysqlReplica(failed)).toBe("worker: Duplicate entry '1'")
  })

  test('MariaDB: errors first, then stopped threads', () => {
    const row = {
      Slave_IO_Running: 'Yes',
      Slave_SQL_Running: 'Yes',
      Last_SQL_Errno: 0,
      Last_SQL_Error: '',
      Last_IO_Errno: 0,
      Last_IO_Error: '',
    }
    expect(describeMariadbReplica([])).toMatch(/not set up/)
    expect(describeMariadbReplica([row])).toBeNull()
    expect(describeMariadbReplica([{ ...row, Slave_SQL_Running: 'No' }])).toBe('stopped: applier')
    const failed = { ...row, Slave_SQL_Running: 'No', Last_SQL_Errno: 1062, Last_SQL_Error: 'dup' }
    expect(describeMariadbReplica([failed])).toBe('applier: dup')
  })
})
