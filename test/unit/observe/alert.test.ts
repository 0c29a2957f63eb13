import { expect, test } from 'vitest'
import { alertsOf } from '../../../src/observe/alert.ts'
import type { Problem } from '../../../src/status/status.ts'
import { drStatus, drStream } from '../../helpers/status/status-fixture.ts'

const problem: Problem = {
  code: 'ERR_LINK_LOST',
  severity: 'error',
  where: 'link:ec2',
  message: 'the peer is away',
  sinceMs: 5,
}

test('of several problems each is one alert, whatever its words are', () => {
  const other = { ...problem, where: 'link:gcp' }
  const [first, second, ...none] = alertsOf({ ...drStatus, problems: [problem, other] })
  expect(none).toEqual([])
  expect(first?.labels).toMatchObject({ alertname: 'LandbridgeLinkLost', where: 'link:ec2' })
  expect(first?.labels).not.toHaveProperty('stream')
  expect(first?.fingerprint).not.toBe(second?.fingerprint)
  const [again] = alertsOf({ ...drStatus, problems: [{ ...problem, message: 'still away' }] })
  expect(again?.fingerprint).toBe(first?.fingerprint)
})

test('a breached objective is an alert for exposure and one for the apply lag', () => {
  const breached = { state: 'breached', sinceMs: 7 } as const
  const objective = { maxMs: 5_000, exposure: breached, apply: breached }
  const streams = [{ ...drStream, objective }]
  const own = { ...problem, code: 'ERR_LAG_OBJECTIVE', where: 'stream:main' }
  const alerts = alertsOf({ ...drStatus, streams, problems: [own, own] })
  expect(alerts.map(({ labels }) => `${labels.stream} ${labels.objective}`)).toEqual([
    'main exposure',
    'main apply',
  ])
  expect(alerts[0]).toMatchObject({ startsAtMs: 7, labels: { severity: 'critical' } })
})

test('what the webhook itself cannot do is no alert', () => {
  const own = { ...problem, code: 'ERR_WEBHOOK', where: 'webhook' }
  expect(alertsOf({ ...drStatus, problems: [own] })).toEqual([])
})

test('a text of any length is cut', () => {
  const [alert] = alertsOf({ ...drStatus, problems: [{ ...problem, message: 'x'.repeat(1e6) }] })
  expect(JSON.stringify(alert).length).toBeLessThan(10_000)
})
