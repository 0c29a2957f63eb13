import { describe, expect, test } from 'vitest'
import { FlowWatch, UNTOLD_MS_MAX } from '../../../../src/lab/chaos/flow-watch.ts'
import { drStatus } from '../../../helpers/status/status-fixture.ts'

interface Moment {
  readonly second: number
  readonly state?: 'ok' | 'degraded' | null
  /** What has been synced at DR, what the source has acknowledged. */
  readonly synced: number
  readonly acknowledged: number
}

/** What is found when the DR gateway was seen like that once a second. */
function watch(moments: Iterable<Moment>): readonly string[] {
  const flow = new FlowWatch('main')
  for (const { second, state = 'ok', synced, acknowledged } of moments) {
    flow.observe({ nowMs: second * 1_000, status: seen(state, synced), acknowledged })
  }
  return flow.failures
}

function seen(state: 'ok' | 'degraded' | null, offset: number) {
  if (state === null) return null
  const status = drStatus
  const [stream] = status.streams
  if (stream?.spool == null) throw new TypeError('the DR fixture has a spool')
  const synced = { epoch: 1, file: 'b.000001', offset, gtids: '' }
  const spool = { ...stream.spool, synced }
  return { ...status, state, streams: [{ ...stream, spool }] }
}

const seconds = (count: number, at: (second: number) => Omit<Moment, 'second'>) =>
  Array.from({ length: count }, (_, second) => ({ second, ...at(second) }))
const LONG = UNTOLD_MS_MAX / 1_000 + 5

describe('FlowWatch', () => {
  test('finds one failure where nothing is synced, the source commits and status is ok', () => {
    const still = seconds(LONG * 2, (second) => ({ synced: 4, acknowledged: second }))
    expect(watch(still)).toEqual([expect.stringContaining('status was ok')])
  })

  test('finds another one when it stood still again', () => {
    const twice = seconds(LONG * 4, (second) => ({
      synced: second < LONG * 2 ? 4 : 5,
      acknowledged: second,
    }))
    expect(watch(twice)).toHaveLength(2)
  })

  test('finds none while bytes are synced, or while status says that something is wrong', () => {
    expect(
      watch(seconds(LONG * 2, (second) => ({ synced: second, acknowledged: second }))),
    ).toEqual([])
    const told = { synced: 4, state: 'degraded' } as const
    expect(watch(seconds(LONG * 2, (second) => ({ ...told, acknowledged: second })))).toEqual([])
  })

  test('takes silence of the source or of the gateway itself for nothing', () => {
    expect(watch(seconds(LONG * 2, () => ({ synced: 4, acknowledged: 7 })))).toEqual([])
    // What was committed and synced between two looks waits for nothing.
    const once = (second: number) => (second < 3 ? 0 : 7)
    const both = (second: number) => ({ synced: once(second), acknowledged: once(second) })
    expect(watch(seconds(LONG * 2, both))).toEqual([])
    const gone = seconds(LONG * 2, (second) => ({
      synced: 4,
      state: second < LONG ? null : 'degraded',
      acknowledged: second,
    }))
    expect(watch(gone)).toEqual([])
  })
})
