import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  decodeMysqlGtidSet,
  encodeMysqlGtidSet,
  MysqlGtidSet,
  parseMysqlGtidSet,
} from '../../../src/binlog/mysql-gtid-set.ts'

const A = '00000000-0000-0000-0000-00000000000a'
const B = '3e11fa47-71ca-11e1-9e33-c80aa9429562'

interface Member {
  readonly uuid: string
  readonly tag: string
  readonly number: number
}

const memberArbitrary: fc.Arbitrary<Member> = fc.record({
  uuid: fc.constantFrom(A, B),
  tag: fc.constantFrom('', 'app', '_x1'),
  number: fc.integer({ min: 1, max: 40 }),
})
const membersArbitrary = fc.array(memberArbitrary, { maxLength: 60 })

function setOf(members: readonly Member[]): MysqlGtidSet {
  const set = new MysqlGtidSet()
  for (const { uuid, tag, number } of members) set.addParts(uuid, tag, number)
  return set
}

const keysOf = (members: readonly Member[]): Set<string> =>
  new Set(members.map(({ uuid, tag, number }) => `${uuid}:${tag}:${number}`))

describe('text', () => {
  test('prints sorted, merged and without line feeds', () => {
    const text = `${B}:7:1-3:4, \n${A}:5,${B}:5:App:3:1-2`
    expect(parseMysqlGtidSet(text).toString()).toBe(`${A}:5,${B}:1-5:7:app:1-3`)
  })

  test('reads upper case, no dashes, repeated commas, empty intervals', () => {
    expect(parseMysqlGtidSet(`,,${B.replaceAll('-', '').toUpperCase()}:2-1:9,`).toString()).toBe(
      `${B}:9`,
    )
    expect(parseMysqlGtidSet(' \n').isEmpty()).toBe(true)
  })

  test.each([
    'x',
    `${A}:0`,
    `${A}:1-`,
    `${A}:1x`,
    `${A}:1tag:3`,
    `${A}:9223372036854775807`,
    'a:1',
  ])('refuses %s', (text) => {
    expect(() => parseMysqlGtidSet(text)).toThrow(
      expect.objectContaining({ code: 'ERR_GTID_SYNTAX' }),
    )
  })

  test('adds single GTIDs with and without a tag, beyond 2^53 too', () => {
    const set = new MysqlGtidSet()
    set.add(`${A}:9223372036854775805`)
    set.add(`${A}:9223372036854775806`)
    set.add(`${A}:app:4`)
    expect(set.toString()).toBe(`${A}:9223372036854775805-9223372036854775806:app:4`)
    expect(() => set.add(A)).toThrow(expect.objectContaining({ code: 'ERR_GTID_SYNTAX' }))
  })
})

describe('arithmetic', () => {
  test('agrees with a plain set of texts', () => {
    fc.assert(
      fc.property(membersArbitrary, membersArbitrary, (left, right) => {
        const [leftSet, rightSet] = [setOf(left), setOf(right)]
        const [leftKeys, rightKeys] = [keysOf(left), keysOf(right)]
        expect(leftSet.count()).toBe(BigInt(leftKeys.size))
        expect(leftSet.contains(rightSet)).toBe([...rightKeys].every((key) => leftKeys.has(key)))
        const missing = new Set([...leftKeys].filter((key) => !rightKeys.has(key)))
        expect(leftSet.countMissingFrom(rightSet)).toBe(BigInt(missing.size))
        const difference = parseMysqlGtidSet(leftSet.missingFrom(rightSet))
        expect(difference.count()).toBe(BigInt(missing.size))
        for (const { uuid, tag, number } of left) {
          const expected = missing.has(`${uuid}:${tag}:${number}`)
          expect(difference.hasParts(uuid, tag, number)).toBe(expected)
        }
        const joined = leftSet.clone()
        joined.addSet(rightSet)
        expect(joined.count()).toBe(BigInt(keysOf([...left, ...right]).size))
        expect(leftSet.count()).toBe(BigInt(leftKeys.size))
      }),
    )
  })

  test('keeps one interval however the numbers arrive', () => {
    const set = new MysqlGtidSet()
    for (const number of [3, 1, 2, 6, 5, 4, 4]) set.addParts(A, '', number)
    expect(set.toString()).toBe(`${A}:1-6`)
  })

  test('picks out what one server made', () => {
    expect(parseMysqlGtidSet(`${A}:1-3:app:9,${B}:4`).onlyOf(A).toString()).toBe(`${A}:1-3:app:9`)
  })

  test('text and bytes round-trip', () => {
    fc.assert(
      fc.property(membersArbitrary, (members) => {
        const set = setOf(members)
        expect(parseMysqlGtidSet(set.toString()).toString()).toBe(set.toString())
        expect(decodeMysqlGtidSet(encodeMysqlGtidSet(set)).toString()).toBe(set.toString())
      }),
    )
  })
})

describe('bytes', () => {
  test('writes the classic form when nothing is tagged', () => {
    const hex = [
      '0100000000000000',
      B.replaceAll('-', ''),
      '0100000000000000',
      '01000000000000000600000000000000',
    ]
    const bytes = encodeMysqlGtidSet(parseMysqlGtidSet(`${B}:1-5`))
    expect(bytes.toString('hex')).toBe(hex.join(''))
  })

  test('writes the tagged form as soon as one member is tagged', () => {
    const hex = [
      '0102000000000001',
      B.replaceAll('-', ''),
      '00',
      '0100000000000000',
      '01000000000000000600000000000000',
      B.replaceAll('-', ''),
      '06617070',
      '0100000000000000',
      '07000000000000000800000000000000',
    ]
    const bytes = encodeMysqlGtidSet(parseMysqlGtidSet(`${B}:1-5:app:7`))
    expect(bytes.toString('hex')).toBe(hex.join(''))
  })

  test('throws at every truncation and at one byte too many', () => {
    for (const text of [`${A}:1-5:8,${B}:2`, `${A}:1-5:app:8,${B}:2`]) {
      const bytes = encodeMysqlGtidSet(parseMysqlGtidSet(text))
      for (let length = 0; length < bytes.length; length += 1) {
        expect(() => decodeMysqlGtidSet(bytes.subarray(0, length))).toThrow(
          expect.objectContaining({ code: 'ERR_TRUNCATED' }),
        )
      }
      expect(() => decodeMysqlGtidSet(Buffer.concat([bytes, Buffer.alloc(1)]))).toThrow(
        expect.objectContaining({ code: 'ERR_GTID_SYNTAX' }),
      )
    }
  })

  test('any bytes give a set or a typed error, quickly', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (input) => {
        try {
          decodeMysqlGtidSet(Buffer.from(input))
        } catch (error) {
          expect(['ERR_TRUNCATED', 'ERR_GTID_SYNTAX']).toContain((error as { code: string }).code)
        }
      }),
    )
  })

  test('refuses bytes that name the same member twice', () => {
    const once = encodeMysqlGtidSet(parseMysqlGtidSet(`${A}:5`))
    const twice = Buffer.concat([once, once.subarray(8)])
    twice.writeUIntLE(2, 0, 6)
    expect(() => decodeMysqlGtidSet(twice)).toThrow(
      expect.objectContaining({ code: 'ERR_GTID_SYNTAX' }),
    )
  })
})

test('reads a text with its numbers in any order in time that its length explains', () => {
  // Each inserted before all others, these would take minutes.
  const numbers = Array.from({ length: 150_000 }, (_, index) => 2 * (150_000 - index))
  const set = parseMysqlGtidSet(`${A}:${numbers.join(':')}`)
  expect(set.count()).toBe(150_000n)
  expect(set.toString().startsWith(`${A}:2:4:6:`)).toBe(true)
})

test('the text follows every change', () => {
  const uuid = '3e11fa47-71ca-11e1-9e33-c80aa9429562'
  const set = parseMysqlGtidSet(`${uuid}:1-3`)
  expect(`${set}`).toBe(`${uuid}:1-3`)
  set.add(`${uuid}:4`)
  expect(`${set}`).toBe(`${uuid}:1-4`)
  set.addSet(parseMysqlGtidSet(`${uuid}:9`))
  expect(`${set}`).toBe(`${uuid}:1-4:9`)
  set.removeSet(parseMysqlGtidSet(`${uuid}:2`))
  expect(`${set}`).toBe(`${uuid}:1:3-4:9`)
})
