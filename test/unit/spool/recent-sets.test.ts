import { expect, test } from 'vitest'
import { RecentSets } from '../../../src/spool/recent-sets.ts'

test('a set is read once where it stands behind a file and before the next', () => {
  const sets = new RecentSets()
  const [first, second, third] = ['0-1-1', '0-1-2', '0-1-3']
  const one = sets.parse('mariadb', first)
  const two = sets.parse('mariadb', second)
  for (const text of [first, second]) sets.parse('mariadb', text)
  expect(sets.parse('mariadb', second)).toBe(two)
  expect(sets.parse('mariadb', third).toString()).toBe(third)
  expect(sets.parse('mariadb', second)).toBe(two)
  expect(sets.parse('mariadb', first)).not.toBe(one)
})

test('an empty text is an empty set of its flavor; what is none is refused', () => {
  const sets = new RecentSets()
  expect(sets.parse('mysql', '').flavor).toBe('mysql')
  expect(sets.parse('mariadb', '').flavor).toBe('mariadb')
  expect(() => sets.parse('mysql', 'nonsense')).toThrow('GTID')
})
