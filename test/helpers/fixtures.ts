import { readFileSync } from 'node:fs'
import type { Flavor } from '../../src/base/flavor.ts'

const FOLDER = new URL('../fixtures/', import.meta.url)

/** Recorded from real servers by test/fixtures/record.ts. */
export interface RecordedFacts {
  readonly flavor: Flavor
  readonly version: string
  readonly serverId: number
  readonly uuid: string | null
  /** GTIDs executed up to `offset` of binlog.000001. */
  readonly middle: string
  readonly offset: number
  /** GTIDs executed at the end of binlog.000002. */
  readonly end: string
}

export function fixtureBytes(name: string): Buffer {
  return Buffer.from(readFileSync(new URL(name, FOLDER), 'utf8').replaceAll('\n', ''), 'hex')
}

export function recordedFacts(flavor: Flavor): RecordedFacts {
  return JSON.parse(readFileSync(new URL(`${flavor}.json`, FOLDER), 'utf8')) as RecordedFacts
}

/** The recorded files, `n` 1 or 2. */
export function recordedFile(flavor: Flavor, n: 1 | 2): Buffer {
  return fixtureBytes(`${flavor}-binlog-${n}.hex`)
}

export interface RawEvent {
  readonly start: number
  readonly end: number
  readonly type: number
  readonly bytes: Buffer
}

/** Takes a file apart by the sizes in its headers alone. */
export function eventsOf(file: Buffer): RawEvent[] {
  const events: RawEvent[] = []
  for (let start = 4; start < file.length; ) {
    const end = start + file.readUInt32LE(start + 9)
    events.push({ start, end, type: file.readUInt8(start + 4), bytes: file.subarray(start, end) })
    start = end
  }
  return events
}
