import assert from 'node:assert/strict'
import { ByteReader, ByteWriter } from '../base/cursor.ts'
import { LandbridgeError } from '../base/errors.ts'
import { GtidIntervals } from './gtid-intervals.ts'
import type { GtidSet } from './gtid-set.ts'

/** 2^63-2: the largest number the server gives. */
const NUMBER_MAX = 2n ** 63n - 2n
const UUID_BYTES = 16
const TAG_LENGTH_MAX = 32
/** Of a member in an encoded set: its uuid and how many intervals follow. */
const MEMBER_BYTES_MIN = UUID_BYTES + 8
/** As servers write it, in lower case. */
const TAG = /^[a-z_][a-z0-9_]{0,31}$/
const UUID = /^\{?([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})\}?$/

/**
 * A set of MySQL GTIDs. Members are keyed by `uuid` or `uuid:tag`; sorting these keys as text is
 * the server's own order (uuid bytes, then tag, untagged first).
 */
export class MysqlGtidSet implements GtidSet {
  readonly flavor = 'mysql'
  readonly #members = new Map<string, GtidIntervals>()
  /** What `toString` says; null when it has to be made anew. */
  #text: string | null = null

  add(gtid: string): void {
    const match = /^\s*([^:\s]+)\s*:(?:\s*([^:\s]+)\s*:)?\s*(\d+)\s*$/.exec(gtid)
    if (match === null) throw syntaxError(gtid)
    const [, uuid = '', tag = '', number = ''] = match
    this.addParts(parseUuid(uuid), parseTag(tag), parseNumber(number))
  }

  /** `uuid` in lower case with dashes, `tag` in lower case or empty: not checked here. */
  addParts(uuid: string, tag: string, number: bigint | number): void {
    const big = BigInt(number)
    this.addRange(uuid, tag, big, big)
  }

  addRange(uuid: string, tag: string, first: bigint, last: bigint): void {
    assert(first >= 1n && first <= last && last <= NUMBER_MAX, 'not an interval')
    this.#text = null
    const key = keyOf(uuid, tag)
    let member = this.#members.get(key)
    if (member === undefined) {
      member = new GtidIntervals()
      this.#members.set(key, member)
    }
    member.add(first, last)
  }

  hasParts(uuid: string, tag: string, number: bigint | number): boolean {
    return this.#members.get(keyOf(uuid, tag))?.has(BigInt(number)) ?? false
  }

  hasMember(uuid: string, tag: string): boolean {
    return this.#members.has(keyOf(uuid, tag))
  }

  addSet(other: GtidSet): void {
    this.#text = null
    for (const [key, intervals] of asMysql(other).#members) {
      const member = this.#members.get(key)
      if (member === undefined) this.#members.set(key, intervals.clone())
      else member.addAll(intervals)
    }
  }

  removeSet(other: GtidSet): void {
    this.#text = null
    for (const [key, intervals] of asMysql(other).#members) {
      const member = this.#members.get(key)
      if (member === undefined) continue
      member.removeAll(intervals)
      if (member.length === 0) this.#members.delete(key)
    }
  }

  /** What is in this set and not in `other`. */
  minus(other: GtidSet): MysqlGtidSet {
    const result = this.clone()
    result.removeSet(other)
    return result
  }

  /** Only the transactions that the server with `uuid` made itself, tagged or not. */
  onlyOf(uuid: string): MysqlGtidSet {
    const result = new MysqlGtidSet()
    for (const [memberUuid, tag, intervals] of this.entries()) {
      if (memberUuid !== uuid) continue
      result.#members.set(keyOf(memberUuid, tag), intervals.clone())
    }
    return result
  }

  contains(other: GtidSet): boolean {
    for (const [key, intervals] of asMysql(other).#members) {
      const member = this.#members.get(key)
      if (member === undefined) return false
      for (const [first, last] of intervals) if (!member.containsRange(first, last)) return false
    }
    return true
  }

  countMissingFrom(other: GtidSet): bigint {
    return this.minus(other).count()
  }

  missingFrom(other: GtidSet): string {
    return this.minus(other).toString()
  }

  count(): bigint {
    let sum = 0n
    for (const member of this.#members.values()) sum += member.count()
    return sum
  }

  isEmpty(): boolean {
    return this.#members.size === 0
  }

  /** True when a transaction carries a tag, which servers before 8.3 do not know. */
  isTagged(): boolean {
    for (const key of this.#members.keys()) if (key.includes(':')) return true
    return false
  }

  clone(): MysqlGtidSet {
    const copy = new MysqlGtidSet()
    for (const [key, member] of this.#members) copy.#members.set(key, member.clone())
    return copy
  }

  /** In the server's order. */
  *entries(): Generator<readonly [uuid: string, tag: string, intervals: GtidIntervals]> {
    for (const key of [...this.#members.keys()].sort()) {
      const [uuid = '', tag = ''] = key.split(':')
      yield [uuid, tag, this.#members.get(key) as GtidIntervals]
    }
  }

  /** `uuid:1-5:tag:1-3,uuid:7`; the server puts a line feed after each comma, this does not. */
  toString(): string {
    this.#text ??= this.#format()
    return this.#text
  }

  #format(): string {
    let text = ''
    let lastUuid = ''
    for (const [uuid, tag, intervals] of this.entries()) {
      if (uuid !== lastUuid) text += text === '' ? uuid : `,${uuid}`
      if (tag !== '') text += `:${tag}`
      text += `:${intervals}`
      lastUuid = uuid
    }
    return text
  }

  get size(): number {
    return this.#members.size
  }
}

/** Reads what the server prints, and the looser forms that the server also reads. */
export function parseMysqlGtidSet(text: string): MysqlGtidSet {
  const ranges: Range[] = []
  for (const part of text.split(',')) {
    if (part.trim() === '') continue
    const [uuidText = '', ...items] = part.split(':').map((item) => item.trim())
    const uuid = parseUuid(uuidText)
    let tag = ''
    for (const item of items) {
      if (!/^\d/.test(item)) tag = parseTag(item)
      else ranges.push(...parseInterval(uuid, tag, item))
    }
  }
  // In their order each is added behind the one before it, however the text has them.
  ranges.sort((left, right) => compare(left.first, right.first))
  const set = new MysqlGtidSet()
  for (const { uuid, tag, first, last } of ranges) set.addRange(uuid, tag, first, last)
  return set
}

function compare(left: bigint, right: bigint): number {
  if (left === right) return 0
  return left < right ? -1 : 1
}

interface Range {
  readonly uuid: string
  readonly tag: string
  readonly first: bigint
  readonly last: bigint
}

function parseInterval(uuid: string, tag: string, item: string): Range[] {
  const match = /^(\d+)(?:\s*-\s*(\d+))?$/.exec(item)
  if (match === null) throw syntaxError(item)
  const first = parseNumber(match[1] as string)
  const last = match[2] === undefined ? first : parseNumber(match[2])
  // The server takes a reversed interval for an empty one.
  return first <= last ? [{ uuid, tag, first, last }] : []
}

/**
 * The form in COM_BINLOG_DUMP_GTID and in Previous_gtids events, all little-endian:
 *
 *     classic  u64 count, { uuid 16, u64 intervals, { u64 first, u64 after } }
 *     tagged   u8 1, u48 count, u8 1, { uuid 16, u8 tag length * 2, tag, u64 intervals, {...} }
 */
export function encodeMysqlGtidSet(set: MysqlGtidSet): Buffer {
  const tagged = set.isTagged()
  const writer = new ByteWriter(8 + set.size * 40)
  if (tagged) writer.u8(1).u48(set.size).u8(1)
  else writer.u64(set.size)
  for (const [uuid, tag, intervals] of set.entries()) {
    writer.bytes(uuidToBytes(uuid))
    if (tagged) writer.u8(tag.length << 1).text(tag, 'latin1')
    writer.u64(intervals.length)
    for (const [first, last] of intervals) writer.u64(first).u64(last + 1n)
  }
  return writer.take()
}

/** Decodes exactly `bytes`. Throws ERR_TRUNCATED or ERR_GTID_SYNTAX; never loops past the input. */
export function decodeMysqlGtidSet(bytes: Buffer): MysqlGtidSet {
  const reader = new ByteReader(bytes)
  const head = reader.bytes(8)
  const format = head.readUInt8(7)
  if (format > 1 || (format === 1 && head.readUInt8(0) !== 1)) {
    throw syntaxError(`encoding ${head.toString('hex')}`)
  }
  const count = format === 1 ? head.readUIntLE(1, 6) : head.readUIntLE(0, 6)
  // 2^48 and more members cannot fit; byte 6 of the classic form belongs to the count.
  if (format === 0 && head.readUInt8(6) !== 0) throw syntaxError('too many members')
  const set = new MysqlGtidSet()
  for (let index = 0; index < count; index += 1) {
    const uuid = uuidFromBytes(reader.bytes(UUID_BYTES))
    const tag = format === 1 ? decodeTag(reader) : ''
    // Nobody writes one twice; intervals that come out of order would cost more and more.
    if (set.hasMember(uuid, tag)) throw syntaxError(`${keyOf(uuid, tag)} is there twice`)
    decodeIntervals(reader, set, uuid, tag)
  }
  if (reader.remaining !== 0) throw syntaxError(`${reader.remaining} bytes too many`)
  return set
}

/** How many members the encoded set says that it has, or could have at most: without decoding. */
export function countMysqlGtidMembers(bytes: Buffer): number {
  if (bytes.length < 8) return 0
  const count = bytes.readUInt8(7) === 1 ? bytes.readUIntLE(1, 6) : bytes.readUIntLE(0, 6)
  return Math.min(count, Math.floor(bytes.length / MEMBER_BYTES_MIN))
}

function decodeTag(reader: ByteReader): string {
  const code = reader.u8()
  const length = code >> 1
  if ((code & 1) !== 0 || length > TAG_LENGTH_MAX) throw syntaxError(`tag length code ${code}`)
  return length === 0 ? '' : parseTag(reader.text(length, 'latin1'))
}

function decodeIntervals(reader: ByteReader, set: MysqlGtidSet, uuid: string, tag: string): void {
  const count = reader.u64()
  if (count > BigInt(reader.remaining >> 4)) {
    throw new LandbridgeError('ERR_TRUNCATED', `${count} intervals announced, fewer bytes left`)
  }
  let before = 0n
  for (let index = 0n; index < count; index += 1n) {
    const first = reader.u64()
    const after = reader.u64()
    if (first <= before || after <= first || after > NUMBER_MAX + 1n) {
      throw syntaxError(`interval ${first} to ${after}`)
    }
    set.addRange(uuid, tag, first, after - 1n)
    before = after
  }
}

export function uuidFromBytes(bytes: Buffer): string {
  const hex = bytes.toString('hex', 0, UUID_BYTES)
  const head = `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}`
  return `${head}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

export function uuidToBytes(uuid: string): Buffer {
  return Buffer.from(uuid.replaceAll('-', ''), 'hex')
}

/** Whether `text` is a tag as the server keeps it; the empty one stands for none. */
export function isTag(text: string): boolean {
  return text === '' || TAG.test(text)
}

function keyOf(uuid: string, tag: string): string {
  return tag === '' ? uuid : `${uuid}:${tag}`
}

function parseUuid(text: string): string {
  const match = UUID.exec(text.toLowerCase())
  if (match === null) throw syntaxError(text)
  return match.slice(1).join('-')
}

function parseTag(text: string): string {
  const tag = text.toLowerCase()
  if (!isTag(tag)) throw syntaxError(text)
  return tag
}

function parseNumber(text: string): bigint {
  const number = text.length <= 19 ? BigInt(text) : 0n
  if (number < 1n || number > NUMBER_MAX) throw syntaxError(text)
  return number
}

function asMysql(set: GtidSet): MysqlGtidSet {
  assert(set instanceof MysqlGtidSet, 'sets of different flavours do not compare')
  return set
}

function syntaxError(text: string): LandbridgeError {
  const shown = text.length > 80 ? `${text.slice(0, 80)}...` : text
  return new LandbridgeError('ERR_GTID_SYNTAX', `not a MySQL GTID set: ${JSON.stringify(shown)}`)
}
