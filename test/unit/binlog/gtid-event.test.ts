import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  addGtidEvent,
  decodeMariadbGtidEvent,
  decodeMysqlGtidEvent,
  decodeMysqlTaggedGtidEvent,
} from '../../../src/binlog/gtid-event.ts'
import { parseGtidSet } from '../../../src/binlog/gtid-set.ts'
import { eventsOf, recordedFacts, recordedFile } from '../../helpers/fixtures.ts'

const { uuid } = recordedFacts('mysql')

/** Body of the first recorded event of `type`, its checksum left off. */
function bodyOf(flavor: 'mysql' | 'mariadb', type: number): Buffer {
  const event = eventsOf(recordedFile(flavor, 1)).find((one) => one.type === type)
  if (event === undefined) throw new Error(`no event of type ${type}`)
  return event.bytes.subarray(19, -4)
}

const PLAIN = bodyOf('mysql', 33)
const TAGGED = bodyOf('mysql', 42)
const MARIADB = bodyOf('mariadb', 162)

function throwsCoded(work: () => unknown): boolean {
  try {
    work()
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_')
  }
}

test('reads a MySQL GTID event of a real server', () => {
  expect(decodeMysqlGtidEvent(PLAIN, false)).toMatchObject({
    gtid: { uuid, tag: '', number: 1n },
    transactionBytes: 334 - 158,
  })
})

test('reads a tagged GTID event of a real server', () => {
  expect(decodeMysqlTaggedGtidEvent(TAGGED)).toMatchObject({
    gtid: { uuid, tag: 'a_tag_of_the_full_length_32_char', number: 1n },
    transactionBytes: 4008 - 3700,
  })
})

test('reads a MariaDB GTID event of a real server', () => {
  expect(decodeMariadbGtidEvent(MARIADB, 7)).toEqual({
    flavor: 'mariadb',
    gtid: { domainId: 0, serverId: 7, sequence: 1n },
    standalone: true,
  })
})

test('refuses a GTID event of a server that names no transaction length', () => {
  const old = Buffer.from(PLAIN)
  old.writeUInt8(1, 25)
  expect(() => decodeMysqlGtidEvent(old, false)).toThrow(
    expect.objectContaining({ code: 'ERR_SOURCE_UNSUPPORTED' }),
  )
})

test.each([0n, 2n ** 63n - 1n, 2n ** 64n - 1n])('refuses the GTID number %i', (number) => {
  const odd = Buffer.from(PLAIN)
  odd.writeBigUInt64LE(number, 17)
  expect(() => decodeMysqlGtidEvent(odd, false)).toThrow(
    expect.objectContaining({ code: 'ERR_MALFORMED' }),
  )
  expect(decodeMysqlGtidEvent(odd, true).gtid).toBeNull()
})

test('refuses every truncation that lacks something it needs', () => {
  // Lengths behind which only parts follow that no decision needs.
  const needed = { plain: PLAIN.indexOf(334 - 158, 40) + 1, mariadb: 13 }
  for (let bytes = 0; bytes < PLAIN.length; bytes += 1) {
    if (bytes >= needed.plain) continue
    expect(() => decodeMysqlGtidEvent(PLAIN.subarray(0, bytes), false)).toThrow()
  }
  for (let bytes = 0; bytes < needed.mariadb; bytes += 1) {
    expect(() => decodeMariadbGtidEvent(MARIADB.subarray(0, bytes), 7)).toThrow(
      expect.objectContaining({ code: 'ERR_TRUNCATED' }),
    )
  }
  for (let bytes = 0; bytes < 60; bytes += 1) {
    expect(throwsCoded(() => decodeMysqlTaggedGtidEvent(TAGGED.subarray(0, bytes)))).toBe(true)
  }
})

test('answers garbage with coded errors only', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (garbage) => {
      const body = Buffer.from(garbage)
      expect(throwsCoded(() => decodeMysqlGtidEvent(body, false))).toBe(true)
      expect(throwsCoded(() => decodeMysqlGtidEvent(body, true))).toBe(true)
      expect(throwsCoded(() => decodeMysqlTaggedGtidEvent(body))).toBe(true)
      expect(throwsCoded(() => decodeMariadbGtidEvent(body, 1))).toBe(true)
    }),
    { numRuns: 500 },
  )
})

test('answers a damaged tagged event with coded errors only', () => {
  fc.assert(
    fc.property(fc.nat(TAGGED.length - 1), fc.nat(255), (at, value) => {
      const body = Buffer.from(TAGGED)
      body.writeUInt8(value, at)
      expect(throwsCoded(() => decodeMysqlTaggedGtidEvent(body))).toBe(true)
    }),
    { numRuns: 500 },
  )
})

test('refuses a tag that no set could hold', () => {
  for (const letter of ['B', ':', ',', '\u00e9']) {
    const odd = Buffer.from(TAGGED)
    odd.write(letter, odd.indexOf('a_tag') + 2, 'latin1')
    expect(() => decodeMysqlTaggedGtidEvent(odd)).toThrow(
      expect.objectContaining({ code: 'ERR_MALFORMED' }),
    )
  }
})

describe('adding to a set', () => {
  test('adds what the event names, and nothing for an anonymous one', () => {
    const set = parseGtidSet('mysql', '')
    addGtidEvent(set, decodeMysqlGtidEvent(PLAIN, true))
    expect(set.toString()).toBe('')
    addGtidEvent(set, decodeMysqlGtidEvent(PLAIN, false))
    addGtidEvent(set, decodeMysqlTaggedGtidEvent(TAGGED))
    expect(set.toString()).toBe(`${uuid}:1:a_tag_of_the_full_length_32_char:1`)
  })

  test('takes an event of the other flavour for a mistake of the program', () => {
    const event = decodeMariadbGtidEvent(MARIADB, 7)
    expect(() => addGtidEvent(parseGtidSet('mysql', ''), event)).toThrow(TypeError)
  })
})
