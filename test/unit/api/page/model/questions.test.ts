import { describe, expect, test } from 'vitest'
import { delayRows } from '../../../../../src/api/page/model/delays.ts'
import { headOf, spokenAnswers } from '../../../../../src/api/page/model/head.ts'
import { problemsOf, worstOf } from '../../../../../src/api/page/model/problems.ts'
import { questionsOf } from '../../../../../src/api/page/model/questions.ts'
import { viewAtCopy, viewAtOrigin, withStream } from '../../../../helpers/page/played-view.ts'
import { drStatus, replicaStatus } from '../../../../helpers/status/status-fixture.ts'

const problem = {
  code: 'ERR_SPOOL_DISK_FULL',
  severity: 'error',
  where: 'spool:main',
  message: 'the disk is full',
  sinceMs: 5,
} as const

describe('the answers', () => {
  test('at a copy are those of its own status', () => {
    const questions = questionsOf(viewAtCopy())
    expect(questions.map(({ title }) => title)).toEqual([
      'Is it up?',
      'How far behind?',
      'What would be lost now?',
      'Can the copy take over?',
    ])
    expect(questions.map(({ answer }) => answer)).toEqual(
      drStatus.verdicts.map(({ answer }) => answer),
    )
    expect(questions.every(({ old }) => old === null)).toBe(true)
  })

  test('at the origin are those of the copy, which alone can know', () => {
    const [here, there] = [questionsOf(viewAtOrigin()), questionsOf(viewAtCopy())]
    expect(here.slice(1).map(({ answer, mood, word }) => [answer, mood, word])).toEqual(
      there.slice(1).map(({ answer, mood, word }) => [answer, mood, word]),
    )
    expect(here[0]?.answer).toContain('link to azure up')
  })

  test('of a copy that is not heard any more are not good any more, and say how old', () => {
    const [tunnel, ...others] = questionsOf(viewAtOrigin({ peerAgeMs: 12_000 }))
    expect(tunnel?.old).toBeNull()
    for (const { mood, old } of others) {
      expect(mood).not.toBe('good')
      expect(old).toBe('as azure said it 12 s ago')
    }
  })

  test('of a copy that was never heard are not known', () => {
    const [, lag] = questionsOf(viewAtOrigin({ peerAgeMs: null }))
    expect(lag).toMatchObject({ mood: 'warn', old: 'not heard yet' })
    expect(lag?.answer).toContain('ask azure')
  })

  test('are said in a word each to a screen reader', () => {
    expect(spokenAnswers(viewAtCopy())).toMatch(/^Is it up\? Up\. How far behind\? \w+\..*wrong\.$/)
  })
})

describe('the head', () => {
  const view = viewAtCopy()

  test('says that all is well only while its gateway is heard', () => {
    expect(headOf({ hello: null, view, isOld: false, ageMs: 100 })).toMatchObject({
      mood: 'good',
      lost: null,
      title: '● all is well · landbridge',
    })
    const old = headOf({ hello: null, view, isOld: true, ageMs: 14_800 })
    expect(old).toMatchObject({ mood: 'unknown', state: 'not known now' })
    expect(old.lost).toContain('what you see is 14 s old')
  })

  test('before the first view knows nothing', () => {
    const head = headOf({ hello: null, view: null, isOld: true, ageMs: null })
    expect(head).toMatchObject({ mood: 'unknown', state: 'connecting', where: '' })
  })
})

test('problems are those of all gateways, the worst first, with who has them', () => {
  const warning = { ...problem, severity: 'warning', sinceMs: 1 } as const
  const blocked = { ...problem, severity: 'blocked', sinceMs: 9 } as const
  const status = { ...drStatus, problems: [warning, problem] }
  const problems = problemsOf(
    viewAtCopy({ status, peer: { ...drStatus, name: 'ec2', problems: [blocked] } }),
  )
  expect(problems.map(({ severity, gateway }) => `${severity} ${gateway}`)).toEqual([
    'blocked ec2',
    'error azure',
    'warning azure',
  ])
  expect(worstOf(problems)).toBe('blocked')
  expect(worstOf(problems.slice(1))).toBe('degraded')
  expect(worstOf([])).toBe('ok')
})

test('delays are of every copy and its replicas, by windows', () => {
  const windows = {
    minute: { p50Ms: 3, p95Ms: 64, p99Ms: 151, maxMs: 1_456, count: 5_691, coveredMs: 60_000 },
    quarterHour: null,
    day: null,
  }
  const applyLag = replicaStatus.applyLag && { ...replicaStatus.applyLag, windows }
  const status = withStream(drStatus, { replicas: [{ ...replicaStatus, applyLag }] })
  const rows = delayRows(viewAtCopy({ status }))
  expect(rows.map(({ what, window }) => `${what}, ${window}`)).toEqual([
    'synced at azure, last minute',
    'synced at azure, 15 minutes',
    'synced at azure, 24 hours',
    'applied by replica 2 at azure, last minute',
    'applied by replica 2 at azure, 15 minutes',
    'applied by replica 2 at azure, 24 hours',
  ])
  expect(rows[3]?.values).toEqual(['3 ms', '64 ms', '151 ms', '1.5 s', '5,691'])
  expect(rows[4]?.values).toEqual(['–', '–', '–', '–', '0'])
})
