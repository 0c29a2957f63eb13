import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { extentOf, sampled } from '../../../../../src/api/page/model/chart-kinds.ts'
import {
  chartedOf,
  type HistoryPoint,
  historyIn,
  mergedPoints,
  pointOf,
  withGaps,
  withPoint,
} from '../../../../../src/api/page/model/history.ts'
import { viewAtCopy, viewAtOrigin } from '../../../../helpers/page/played-view.ts'

const nothing = {
  exposureMs: null,
  receiveLagMs: null,
  applyLagMs: null,
  transactionsPerSecond: null,
  bytesPerSecond: null,
  roundTripMs: null,
  throttleBytesPerSecond: null,
  waitingBytes: null,
}
const point = (atMs: number, values: Partial<HistoryPoint> = {}): HistoryPoint => ({
  ...nothing,
  atMs,
  ...values,
})

describe('an answer of lag.history', () => {
  test('is taken as it is, a value that is none as not known', () => {
    const points = [
      { atMs: 1_000, exposureMs: 5, receiveLagMs: 'x', applyLagMs: Number.NaN },
      {},
      7,
    ]
    const answer = { schema: 1, stream: 'main', nowMs: 2_000, stepMs: 1_000, points }
    expect(historyIn(answer, 2_400)).toEqual({
      stepMs: 1_000,
      points: [point(1_000, { exposureMs: 5 })],
    })
  })

  test('of a gateway whose clock is 30 s off is put right', () => {
    const answer = { nowMs: 32_000, stepMs: 1_000, points: [{ atMs: 31_000 }] }
    expect(historyIn(answer, 2_000)?.points[0]?.atMs).toBe(1_000)
  })

  test('that is something else is none', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const { points = [] } = historyIn(value, 0) ?? {}
        expect(Array.isArray(points)).toBe(true)
      }),
    )
    expect(historyIn(null, 0)).toBeNull()
    expect(historyIn({ stepMs: 0, points: [] }, 0)).toBeNull()
  })
})

test('of two gateways each step has what the first knows, else the second', () => {
  const copy = [point(1_000, { exposureMs: 1 }), point(2_000, { exposureMs: 2 })]
  const origin = [
    point(2_100, { exposureMs: 9, waitingBytes: 5 }),
    point(3_000, { waitingBytes: 6 }),
  ]
  expect(mergedPoints([copy, origin], 1_000)).toEqual([
    point(1_000, { exposureMs: 1 }),
    point(2_000, { exposureMs: 2, waitingBytes: 5 }),
    point(3_000, { waitingBytes: 6 }),
  ])
})

test('a time in which nothing was written is a gap, not a line', () => {
  const points = [point(1_000), point(2_000), point(60_000)]
  expect(withGaps(points, 1_000).map(({ atMs }) => atMs)).toEqual([1_000, 2_000, 3_000, 60_000])
})

test('the newest point comes from the view of the copy, also at the origin', () => {
  for (const view of [viewAtCopy(), viewAtOrigin()]) {
    const [charted] = chartedOf(view)
    if (charted === undefined) throw new Error('there is one')
    expect(charted).toEqual({ key: 'main at azure', stream: 'main', gateways: ['azure', 'ec2'] })
    expect(pointOf(view, charted)).toMatchObject({ atMs: view.atMs, receiveLagMs: 0 })
  }
  const silent = viewAtOrigin({ peerAgeMs: 10_000 })
  const [charted] = chartedOf(silent)
  expect(charted && pointOf(silent, charted)).toBeNull()
})

test('a point is added once, and what is older than the range goes', () => {
  const points = [point(0), point(5_000), point(9_000)]
  expect(withPoint(points, point(12_000), 8_000).map(({ atMs }) => atMs)).toEqual([
    5_000, 9_000, 12_000,
  ])
  expect(withPoint(points, point(9_000), 60_000)).toEqual(points)
})

test('a chart says in words what it is now and the highest with its time', () => {
  const points = [1, 7, 3].map((exposureMs, index) => point(index * 1_000, { exposureMs }))
  expect(extentOf(points, 'exposureMs')).toEqual({ now: 3, highest: 7, highestAtMs: 1_000 })
  expect(extentOf(points, 'applyLagMs')).toEqual({ now: null, highest: null, highestAtMs: null })
})

test('the table beside a chart has the newest first, at even distances', () => {
  const points = Array.from({ length: 100 }, (_none, index) => point(index))
  const rows = sampled(points, 30).map(({ atMs }) => atMs)
  expect(rows.length).toBeLessThanOrEqual(30)
  expect(rows.slice(0, 3)).toEqual([99, 95, 91])
})
