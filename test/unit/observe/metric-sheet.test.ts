import { expect, test } from 'vitest'
import { MetricSheet } from '../../../src/observe/metric-sheet.ts'

test('a histogram that was counted elsewhere has buckets in seconds, sum and count', async () => {
  const sheet = MetricSheet.empty()
  const buckets = [
    { upToMs: 0.5, count: 2 },
    { upToMs: 10, count: 5 },
  ]
  const times = { count: 6, sumMs: 1_234.5678, buckets }
  sheet.of('lb_', { stream: 'a"b\\c\nd' }).histogram('sync_seconds', 'How long', times)
  sheet.of('lb_', { stream: 'other' }).histogram('sync_seconds', 'How long', times)
  const lines = (await sheet.text()).split('\n')
  expect(lines.filter((line) => line.startsWith('#'))).toEqual([
    '# HELP lb_sync_seconds How long',
    '# TYPE lb_sync_seconds histogram',
  ])
  const stream = String.raw`stream="a\"b\\c\nd"`
  expect(lines).toEqual(
    expect.arrayContaining([
      `lb_sync_seconds_bucket{${stream},le="0.0005"} 2`,
      `lb_sync_seconds_bucket{${stream},le="0.01"} 5`,
      `lb_sync_seconds_bucket{${stream},le="+Inf"} 6`,
      `lb_sync_seconds_sum{${stream}} 1.234568`,
      `lb_sync_seconds_count{${stream}} 6`,
      'lb_sync_seconds_count{stream="other"} 6',
    ]),
  )
})
