import { expect, test } from 'vitest'
import { failoverState } from '../../../src/status/failover-state.ts'
import type { ReplicaStatus } from '../../../src/status/status.ts'
import { verdictsOf } from '../../../src/status/verdicts.ts'
import { drStatus, drStream, replicaStatus } from '../../helpers/status/status-fixture.ts'

const lag = replicaStatus.applyLag
const behind = { applyLag: lag && { ...lag, transactions: 7, ms: 900 } }

const CASES: readonly [string, Partial<ReplicaStatus>, string][] = [
  ['ready', {}, 'yes'],
  ['behind', behind, 'once'],
  ['delayed', { ...behind, delaySeconds: 3600 }, 'once'],
  ['disconnected', { ...behind, state: 'disconnected' }, 'not yet'],
  ['unknown', { applyLag: null }, 'unknown'],
  ['unknown', { applyLag: lag && { ...lag, provenAgoMs: 60_000 } }, 'unknown'],
  ['failed', { applyError: 'Duplicate entry' }, 'no'],
  ['incomplete', { filters: ['IGNORE_DOMAIN_IDS=7'] }, 'no'],
  ['incomplete', { leftOut: 'IGNORE_DOMAIN_IDS=7' }, 'no'],
  ['incomplete', { unlogged: 'uuid:1-5' }, 'no'],
]

test.each(CASES)('is %s for %o, and the verdict says the same', (state, change, word) => {
  const stream = { ...drStream, replicas: [{ ...replicaStatus, ...change }] }
  expect(failoverState(stream)).toBe(state)
  const verdicts = verdictsOf({ ...drStatus, streams: [stream] })
  const { answer } = verdicts.find(({ question }) => question === 'failover') ?? {}
  expect(answer).toMatch(new RegExp(`^${word}\\b`))
})

test('is that of the best replica, and of a copy only', () => {
  const failed = { ...replicaStatus, applyError: 'Duplicate entry' }
  expect(failoverState({ role: 'copy', replicas: [failed, replicaStatus] })).toBe('ready')
  expect(failoverState({ role: 'copy', replicas: [] })).toBe('no-replica')
  expect(failoverState({ role: 'origin', replicas: [] })).toBeNull()
})
