import { describe, expect, test } from 'vitest'
import { checkLedger, type History } from '../../../../src/lab/chaos/ledger-check.ts'
import { ledgerTransaction, marksIn } from '../../../../src/lab/chaos/ledger-statements.ts'
import { seededRandom } from '../../../../src/lab/load/workload-statements.ts'

const ledger = {
  acknowledged: new Set([1, 2, 3]),
  unknown: new Set([4]),
  abandoned: new Set([5]),
}
const history = (...marks: number[]): History => ({
  marks,
  gtids: marks.map((mark) => `0-1-${mark}`),
  failures: [],
})
const applied = (...ids: number[]) => new Map(ids.map((id) => [id, 1]))
const check = (spool: History, replica: History, table: ReadonlyMap<number, number>) =>
  checkLedger({ ledger, spool, replica, applied: table })

describe('checkLedger', () => {
  test('is content when all is there once, in one order, whatever that is', () => {
    const report = check(history(2, 1, 3), history(2, 1, 3), applied(1, 2, 3))
    expect(report).toEqual({ lost: 0, doubled: 0, failures: [] })
  })

  test('takes an unanswered commit either way', () => {
    expect(check(history(1, 2, 3, 4), history(1, 2, 3, 4), applied(1, 2, 3, 4)).failures).toEqual(
      [],
    )
  })

  test('counts what is missing anywhere as lost', () => {
    const report = check(history(1, 2), history(1, 2), applied(1))
    expect(report).toMatchObject({ lost: 2, doubled: 0 })
    expect(report.failures).toEqual([
      '1 acknowledged, but not in the spool: 3',
      '1 acknowledged, but not in the replica: 3',
      '2 acknowledged, but not in the table: 2, 3',
    ])
  })

  test('counts what is there twice as doubled', () => {
    const twice = check(history(1, 2, 3), history(1, 2, 3), new Map([...applied(1, 2), [3, 2]]))
    expect(twice).toMatchObject({ lost: 0, doubled: 1 })
    expect(check(history(1, 2, 2, 3), history(1, 2, 2, 3), applied(1, 2, 3)).doubled).toBe(1)
  })

  test('finds what was never committed, and another order', () => {
    const ghost = check(history(1, 2, 3, 5), history(1, 2, 3, 5), applied(1, 2, 3, 5))
    expect(ghost.failures).toContain('1 never committed, but in the spool: 5')
    const order = check(history(1, 2, 3), history(1, 3, 2), applied(1, 2, 3))
    expect(order.failures).toEqual([
      "the replica's order departs from the spool's at transaction number 2: " +
        'spool 2 of 3, replica 3 of 3',
    ])
  })
})

test('a mark is found in a row, and not in the statement that makes it', () => {
  const text = ledgerTransaction(42, 1, seededRandom(1))
  expect([...marksIn(Buffer.from(text))]).toEqual([])
  const bytes = Buffer.from('#T#T000000042##T12#T000000007#rest #T0000')
  expect([...marksIn(bytes)]).toEqual([42, 7])
})
