import { expect, test } from 'vitest'
import type { Event } from '../../../../src/api/events-operation.ts'
import { renderEvents } from '../../../../src/cli/events/events-view.ts'
import { createPaint, splitPaint } from '../../../../src/cli/terminal/paint.ts'

const atMs = Date.UTC(2026, 10, 28, 3, 7, 9)
const lost: Event = {
  ...{ id: 'e7', atMs, kind: 'link', who: 'azure', severity: 'warning', detail: {} },
  what: 'the link to ec2 is down: timed out',
}
const attached: Event = {
  ...{ id: 'j3', atMs, kind: 'operation', who: 'peer ec2', severity: 'info', detail: {} },
  what: 'replica.attach done',
}

test('an event is a line: when, how bad, what about, who, what', () => {
  expect(renderEvents([lost, attached], createPaint(false))).toBe(
    '2026-11-28 03:07:09Z  warning  link       azure     the link to ec2 is down: timed out\n' +
      '2026-11-28 03:07:09Z  info     operation  peer ec2  replica.attach done\n',
  )
})

test('with colours the words stay the same', () => {
  const painted = renderEvents([lost], createPaint(true))
  expect(painted).toContain('\u001b[33mwarning')
  const plain = renderEvents([lost], createPaint(false))
  const words = splitPaint(painted).filter((_part, index) => index % 2 === 0)
  expect(words.join('')).toBe(plain)
})
