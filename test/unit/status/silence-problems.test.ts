import { describe, expect, test } from 'vitest'
import { silenceProblems } from '../../../src/status/silence-problems.ts'
import type { GatewayStatus, Problem, StreamStatus } from '../../../src/status/status.ts'
import { drLink, drStatus, unmeasured } from '../../helpers/status/status-fixture.ts'

const { nowMs } = drStatus
const [sound] = drStatus.streams as [StreamStatus]
const lag = { bytes: 1, transactions: 1, ms: 0, provenAgoMs: 0, ...unmeasured }

function problemsOf(
  change: Partial<StreamStatus>,
  rest: Partial<Pick<GatewayStatus, 'problems' | 'links'>> = {},
): readonly Problem[] {
  const streams = [{ ...sound, ...change }]
  const up = { ...drLink, sinceMs: nowMs - 600_000 }
  return silenceProblems({ nowMs, problems: [], links: [up], streams, ...rest })
}
const source = (heardAgoMs: number | null) => ({ source: { ...sound.source, heardAgoMs } })

describe('a stream of which nobody says that anything is wrong', () => {
  test('is well while its source is heard of', () => {
    expect(problemsOf(source(1_000))).toEqual([])
  })

  test('is not when nothing is heard of its source, or never was', () => {
    const sinceMs = nowMs - 20_000
    expect(problemsOf(source(20_000))).toMatchObject([{ code: 'ERR_SOURCE_UNHEARD', sinceMs }])
    expect(problemsOf(source(null))).toMatchObject([
      { code: 'ERR_SOURCE_UNHEARD', severity: 'error', sinceMs: nowMs - 600_000 },
    ])
  })

  test('is not when the source has more and nothing of it comes', () => {
    const behind = { ...source(500), receiveLag: { ...lag, ms: 90_000 }, receivedAgoMs: 60_000 }
    expect(problemsOf(behind)).toMatchObject([
      { code: 'ERR_STREAM_STALLED', severity: 'error', sinceMs: nowMs - 60_000 },
    ])
    expect(problemsOf({ ...behind, receivedAgoMs: 5_000 })).toEqual([])
    expect(problemsOf({ ...behind, receiveLag: { ...lag, ms: 1_000 } })).toEqual([])
    // Nothing came since the gateway began.
    expect(problemsOf({ ...behind, receivedAgoMs: null })).toMatchObject([
      { sinceMs: nowMs - 90_000 },
    ])
  })

  test('gets time once the link is up again', () => {
    const young = { ...drLink, sinceMs: nowMs - 3_000 }
    const down = { ...drLink, state: 'down', sinceMs: 0 } as const
    const away = { ...source(600_000), receiveLag: { ...lag, ms: 600_000 }, receivedAgoMs: 600_000 }
    expect(problemsOf(away, { links: [young] })).toEqual([])
    expect(problemsOf(away, { links: [down] })).toEqual([])
  })

  test('has no second problem where the first explains it', () => {
    const problem = { code: 'ERR_X', message: '', sinceMs: 0 }
    const told = (where: string, severity: Problem['severity']) =>
      problemsOf(source(null), { problems: [{ ...problem, where, severity }] })
    for (const where of [
      'link',
      'tunnel',
      'tunnel:ec2',
      `source:${sound.name}`,
      `spool:${sound.name}`,
    ]) {
      expect(told(where, 'error')).toEqual([])
      expect(told(where, 'warning')).toHaveLength(1)
    }
    expect(told('source:other', 'blocked')).toHaveLength(1)
  })
})
