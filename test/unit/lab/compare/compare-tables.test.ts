import { expect, test } from 'vitest'
import {
  compareInventories,
  normaliseDefinition,
} from '../../../../src/lab/compare/compare-tables.ts'

const table = (rows: number, text: string) => ({ rows, text })

test('counts tables and rows of equal inventories', () => {
  const one = new Map([
    ['table `a`.`t`', table(3, 'checksum 1\nCREATE')],
    ['view `a`.`v`', table(0, 'CREATE VIEW')],
  ])
  expect(compareInventories(one, new Map(one))).toEqual({
    equal: true,
    tables: 1,
    rows: 3,
    failures: [],
    unproven: 0,
  })
})

test('what cannot be read is one line of the result, and the rest is compared', () => {
  const unreadable = 'Unable to open underlying table'
  const source = new Map<string, { rows: number; text: string } | { unreadable: string }>([
    ['table broken', { unreadable }],
    ['table d', table(3, 'checksum 1')],
    ['table there', table(1, 'checksum 2')],
  ])
  const replica = new Map(source).set('table there', { unreadable: 'crashed' })
  expect(compareInventories(source, replica)).toEqual({
    equal: false,
    tables: 1,
    rows: 3,
    failures: [
      `table broken cannot be compared: the source says: ${unreadable}; ` +
        `the replica says: ${unreadable}`,
      'table there cannot be compared: the replica says: crashed',
    ],
    unproven: 2,
  })
})

test('names each table that differs, is missing or is too much', () => {
  const source = new Map([
    ['table a', table(3, 'checksum 1\nCREATE a')],
    ['table b', table(3, 'checksum 1\nCREATE b')],
    ['table c', table(3, 'checksum 1\nCREATE c')],
    ['table d', table(3, 'checksum 1\nCREATE d')],
  ])
  const replica = new Map([
    ['table a', table(2, 'checksum 1\nCREATE a')],
    ['table b', table(3, 'checksum 2\nCREATE b')],
    ['table c', table(3, 'checksum 1\nCREATE other')],
    ['table e', table(0, '')],
  ])
  expect(compareInventories(source, replica).failures).toEqual([
    'table a has 3 rows at the source, 2 at the replica',
    'table b differs: source checksum 1 | replica checksum 2',
    'table c differs: source CREATE c | replica CREATE other',
    'table d is not at the replica',
    'table e is at the replica only',
  ])
})

test('the next AUTO_INCREMENT value and white space are no part of a definition', () => {
  const left = 'CREATE TABLE `t` (\n  `id` int AUTO_INCREMENT\n) ENGINE=InnoDB AUTO_INCREMENT=17'
  expect(normaliseDefinition(left)).toBe(
    'CREATE TABLE `t` ( `id` int AUTO_INCREMENT ) ENGINE=InnoDB',
  )
})
