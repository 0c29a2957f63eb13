import { expect, test } from 'vitest'
import { type Alert, fingerprintOf } from '../../../src/observe/alert.ts'
import { AlertBook } from '../../../src/observe/alert-book.ts'

function alertOf(code: string, startsAtMs = 0): Alert {
  const labels = { code }
  return { fingerprint: fingerprintOf(labels), labels, annotations: {}, startsAtMs }
}

const full = alertOf('ERR_DISK_FULL')
const cut = alertOf('ERR_LINK_LOST')

function bookOf(saved: readonly Alert[] = []) {
  const book = new AlertBook({ holdOffMs: 10_000, repeatMs: 3_600_000, saved })
  /** What is due after a look, which arrives. */
  const step = (alerts: readonly Alert[], nowMs: number): string | null => {
    book.look(alerts, nowMs)
    const message = book.due(nowMs)
    if (message === null) return null
    book.told(message, nowMs)
    return message.alerts
      .map(({ labels, endsAtMs }) => `${endsAtMs === null ? 'on' : 'over'} ${labels.code}`)
      .join(', ')
  }
  return { book, step }
}

test('a problem is told when it has lasted, and its end when that has lasted', () => {
  const { step } = bookOf()
  expect(step([full], 100_000)).toBeNull()
  expect(step([full], 109_000)).toBeNull()
  expect(step([full], 110_000)).toBe('on ERR_DISK_FULL')
  expect(step([full], 120_000)).toBeNull()
  expect(step([], 140_000)).toBeNull()
  expect(step([], 149_000)).toBeNull()
  expect(step([], 150_000)).toBe('over ERR_DISK_FULL')
  expect(step([], 200_000)).toBeNull()
})

test('a problem of three seconds is never told, and a pause of three seconds is no end', () => {
  const { step } = bookOf()
  expect(step([full], 0)).toBeNull()
  expect(step([], 3_000)).toBeNull()
  expect(step([full], 20_000)).toBeNull()
  expect(step([full], 30_000)).toBe('on ERR_DISK_FULL')
  expect(step([], 60_000)).toBeNull()
  expect(step([full], 63_000)).toBeNull()
  expect(step([full], 90_000)).toBeNull()
})

test('every message has all that fires, and what still fires is told again', () => {
  const { step } = bookOf()
  step([full], 0)
  expect(step([full, cut], 10_000)).toBe('on ERR_DISK_FULL')
  expect(step([full, cut], 20_000)).toBe('on ERR_LINK_LOST, on ERR_DISK_FULL')
  expect(step([full, cut], 3_619_000)).toBeNull()
  expect(step([full, cut], 3_620_000)).toBe('on ERR_DISK_FULL, on ERR_LINK_LOST')
  expect(step([cut], 3_630_000)).toBeNull()
  expect(step([cut], 3_640_000)).toBe('over ERR_DISK_FULL, on ERR_LINK_LOST')
})

test('what could not be told is told as it is when it can be', () => {
  const { book } = bookOf()
  book.look([full, cut], 0)
  book.look([full, cut], 10_000)
  expect(book.due(10_000)?.alerts).toHaveLength(2)
  // Not told: the receiver is away. Meanwhile one is over, of which nobody ever knew.
  book.look([cut], 20_000)
  expect(book.due(60_000)?.alerts.map(({ labels }) => labels.code)).toEqual(['ERR_LINK_LOST'])
  expect(book.counts(60_000)).toEqual({ firing: 1, waiting: 1 })
})

test('after a restart what still fires is told at once, and what is over once it is known', () => {
  const { step, book } = bookOf([full, cut])
  expect(step([full], 1_000_000)).toBe('on ERR_DISK_FULL')
  expect(step([full], 1_029_000)).toBeNull()
  expect(step([full], 1_030_000)).toBe('over ERR_LINK_LOST, on ERR_DISK_FULL')
  expect(book.known().map(({ labels }) => labels.code)).toEqual(['ERR_DISK_FULL'])
})

test('keeps when a problem began, whatever its words are meanwhile', () => {
  const { book } = bookOf()
  book.look([alertOf('ERR_DISK_FULL', 5_000)], 6_000)
  book.look([{ ...alertOf('ERR_DISK_FULL', 9_000), annotations: { summary: 'fuller' } }], 20_000)
  const [told] = book.due(20_000)?.alerts ?? []
  expect(told).toMatchObject({ startsAtMs: 5_000, annotations: { summary: 'fuller' } })
})

test('has a limit, and counts what is beyond', () => {
  const { book } = bookOf()
  const many = Array.from({ length: 130 }, (_one, index) => alertOf(`ERR_${index}`))
  book.look(many, 0)
  book.look(many, 10_000)
  const message = book.due(10_000)
  expect(message?.alerts).toHaveLength(100)
  expect(message?.truncated).toBe(30)
  if (message !== null) book.told(message, 10_000)
  const next = book.due(15_000)
  const told = new Set([message, next].flatMap((one) => one?.alerts.map((a) => a.fingerprint)))
  expect(told.size).toBe(130)
  if (next !== null) book.told(next, 15_000)
  expect(book.due(20_000)).toBeNull()
})
