import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseGtidSet } from '../../../src/binlog/gtid-set.ts'
import { MariadbGtidState, parseMariadbGtidState } from '../../../src/binlog/mariadb-gtid-state.ts'

test('prints the newest GTID of each domain, by domain', () => {
  const state = parseMariadbGtidState('2-7-3, 0-1-5,0-2-9,0-1-12')
  expect(state.toString()).toBe('0-1-12,2-7-3')
  expect(state.toStateString()).toBe('0-2-9,0-1-12,2-7-3')
  expect(state.lastOf(0, 2)).toBe(9n)
})

test('the GTID added last is the newest, also with a smaller number', () => {
  const state = parseMariadbGtidState('0-1-100')
  state.addParts(0, 2, 7)
  expect(state.toString()).toBe('0-2-7')
  expect(state.toStateString()).toBe('0-1-100,0-2-7')
})

test('contains compares sequence numbers per domain', () => {
  const state = parseMariadbGtidState('0-1-100,1-2-5')
  expect(state.contains(parseMariadbGtidState('0-3-100'))).toBe(true)
  expect(state.contains(parseMariadbGtidState('0-1-101'))).toBe(false)
  expect(state.contains(parseMariadbGtidState('2-1-1'))).toBe(false)
  expect(state.contains(parseMariadbGtidState(''))).toBe(true)
})

test('counts and names what another state lacks', () => {
  const state = parseMariadbGtidState('0-1-100,1-2-5,3-1-1')
  const other = parseMariadbGtidState('0-1-90,1-2-5')
  expect(state.countMissingFrom(other)).toBe(11n)
  expect(state.missingFrom(other)).toBe('0-1-100,3-1-1')
  expect(other.missingFrom(state)).toBe('')
})

test.each(['0-1', '0-1-2-3', 'a', '4294967296-1-1', '0-1--1', '0-1-99999999999999999999'])(
  'refuses %s',
  (text) => {
    expect(() => parseGtidSet('mariadb', text)).toThrow(
      expect.objectContaining({ code: 'ERR_GTID_SYNTAX' }),
    )
  },
)

test('state text round-trips', () => {
  const id = fc.integer({ min: 0, max: 3 })
  const gtids = fc.array(fc.tuple(id, id, fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })))
  fc.assert(
    fc.property(gtids, (list) => {
      const state = new MariadbGtidState()
      for (const [domainId, serverId, sequence] of list) {
        state.addParts(domainId, serverId, sequence)
      }
      const text = state.toStateString()
      expect(parseMariadbGtidState(text).toStateString()).toBe(text)
      expect(state.clone().toStateString()).toBe(text)
      expect(parseMariadbGtidState(text).toString()).toBe(state.toString())
    }),
  )
})

test('a sequence number of zero stands before the first transaction: nobody lacks it', () => {
  const [zero, none] = [parseMariadbGtidState('0-1-0'), parseMariadbGtidState('')]
  expect(zero.missingFrom(none)).toBe('')
  expect(zero.countMissingFrom(none)).toBe(0n)
  expect(none.contains(zero)).toBe(true)
})

test('the text follows every change', () => {
  const state = parseMariadbGtidState('5-1-1,0-1-1')
  expect(`${state}`).toBe('0-1-1,5-1-1')
  state.add('5-1-2')
  expect(`${state}`).toBe('0-1-1,5-1-2')
  state.addSet(parseMariadbGtidState('3-9-9'))
  expect(`${state}`).toBe('0-1-1,3-9-9,5-1-2')
  const copy = state.clone()
  copy.removeDomain(3)
  expect([`${copy}`, `${state}`]).toEqual(['0-1-1,5-1-2', '0-1-1,3-9-9,5-1-2'])
})
