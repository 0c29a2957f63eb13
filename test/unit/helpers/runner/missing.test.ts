import { describe, expect, test } from 'vitest'
import { type Need, parseMissing, unmetReason } from '../../../helpers/runner/missing.ts'

const missing = {
  root: false,
  packages: ['mysql-server-core'],
  reason: 'no apt-get',
  remedy: 'sudo',
}

describe('unmetReason', () => {
  const reason = (wanted: Need[], lacks = [missing], isRoot = true) =>
    unmetReason(wanted, lacks, isRoot)

  test('is given to what needs a package that is missing, and to nothing else', () => {
    expect(reason(['mysql'])).toBe('no apt-get; sudo')
    expect(reason(['root', 'mysql'])).toBe('no apt-get; sudo')
    expect(reason(['mariadb', 'root'])).toBeNull()
    expect(reason(['mysql'], [])).toBeNull()
  })

  test('tells the MariaDB of the machine from the one for upgrades', () => {
    const newer = { ...missing, packages: ['mariadb-server-core'] }
    expect(reason(['mariadb'], [newer])).toBeNull()
    expect(reason(['newer-mariadb'], [newer])).not.toBeNull()
  })

  test('is given to what needs root, where nobody is, or where its programs are missing', () => {
    expect(reason(['root'], [], false)).toMatch(/needs root/)
    expect(reason(['mariadb'], [], false)).toBeNull()
    expect(reason(['root'], [{ ...missing, packages: ['wireguard-go'] }])).toBe('no apt-get; sudo')
    expect(reason(['root'], [{ ...missing, root: true }])).toBe('no apt-get; sudo')
  })
})

test('nothing is missing where the set-up says nothing', () => {
  expect(parseMissing(undefined)).toEqual([])
  expect(parseMissing('')).toEqual([])
  expect(parseMissing(JSON.stringify([missing]))).toEqual([missing])
})
