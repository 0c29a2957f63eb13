import { expect, test } from 'vitest'
import { seededRandom, transactionText } from '../../../../src/lab/load/workload-statements.ts'

test('the same seed makes the same transactions', () => {
  const texts = (seed: number) => {
    const random = seededRandom(seed)
    return Array.from({ length: 50 }, (_, id) => transactionText(id, 1, random))
  }
  expect(texts(7)).toEqual(texts(7))
  expect(texts(7)).not.toEqual(texts(8))
})

test('a transaction ends with its ledger row and the commit', () => {
  const random = seededRandom(1)
  for (let id = 1; id < 500; id += 1) {
    const parts = transactionText(id, 3, random).split(';')
    expect(parts[0]).toBe('BEGIN')
    expect(parts.at(-1)).toBe('COMMIT')
    expect(parts.at(-2)).toContain(`VALUES (${id},3,`)
  }
})

test('chance is spread over the whole range', () => {
  const random = seededRandom(42)
  const values = Array.from({ length: 10_000 }, random)
  expect(Math.min(...values)).toBeLessThan(0.01)
  expect(Math.max(...values)).toBeGreaterThan(0.99)
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  expect(mean).toBeGreaterThan(0.48)
  expect(mean).toBeLessThan(0.52)
})
