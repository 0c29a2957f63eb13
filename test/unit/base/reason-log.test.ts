import { expect, test } from 'vitest'
import { LandbridgeError } from '../../../src/base/errors.ts'
import type { Log } from '../../../src/base/log.ts'
import { silentLog } from '../../../src/base/log.ts'
import { ReasonLog } from '../../../src/base/reason-log.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'

function recorded(): { readonly log: Log; readonly lines: [object, string][] } {
  const lines: [object, string][] = []
  return { lines, log: { ...silentLog, warn: (fields, text) => lines.push([fields, text]) } }
}

test('tells a reason once, a new one at once, and reminds every few minutes', async () => {
  const clock = new FakeClock()
  const { log, lines } = recorded()
  const reasons = new ReasonLog({ clock, log, remindMs: 60_000 })
  for (let second = 0; second <= 60; second += 3) {
    reasons.warn('ERR_LINK_DIAL', 'link down')
    await clock.advance(3_000)
  }
  expect(lines).toEqual([
    [{ code: 'ERR_LINK_DIAL' }, 'link down'],
    [{ code: 'ERR_LINK_DIAL', repeated: 19 }, 'link down'],
  ])
  reasons.warn('ERR_LINK_HELLO', 'link down', { peer: 'ec2' })
  expect(lines.at(-1)).toEqual([{ code: 'ERR_LINK_HELLO', peer: 'ec2' }, 'link down'])
})

test('tells the same reason again after it was over', () => {
  const { log, lines } = recorded()
  const reasons = new ReasonLog({ clock: new FakeClock(), log })
  reasons.warn('ERR_LINK_LOST', 'link down')
  reasons.warn('ERR_LINK_LOST', 'link down')
  reasons.over()
  reasons.warn('ERR_LINK_LOST', 'link down')
  expect(lines).toHaveLength(2)
})

test('tells the remedy of an error with its line, not with every retry', async () => {
  const clock = new FakeClock()
  const { log, lines } = recorded()
  const reasons = new ReasonLog({ clock, log })
  const cause = new Error('ECONNREFUSED')
  const dial = new LandbridgeError('ERR_LINK_DIAL', 'no peer', { cause, remedy: 'start it' })
  for (let second = 0; second < 60; second += 1) {
    reasons.warnOf('link down', dial, { peer: 'ec2' })
    await clock.advance(1_000)
  }
  const known = { code: 'ERR_LINK_DIAL', peer: 'ec2', remedy: 'start it' }
  expect(lines).toEqual([[known, 'link down: no peer: ECONNREFUSED']])
  reasons.warnOf('link down', new LandbridgeError('ERR_LINK_LOST', 'gone'))
  expect(lines.at(-1)).toEqual([{ code: 'ERR_LINK_LOST' }, 'link down: gone'])
})
