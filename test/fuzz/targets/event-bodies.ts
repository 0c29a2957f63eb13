import assert from 'node:assert/strict'
import { EventType } from '../../../src/binlog/event-type.ts'
import {
  addGtidEvent,
  decodeMariadbGtidEvent,
  decodeMysqlGtidEvent,
  decodeMysqlTaggedGtidEvent,
  type GtidEvent,
} from '../../../src/binlog/gtid-event.ts'
import { GtidRuns } from '../../../src/binlog/gtid-runs.ts'
import { parseGtidSet } from '../../../src/binlog/gtid-set.ts'
import {
  decodeMysqlGtidSet,
  encodeMysqlGtidSet,
  parseMysqlGtidSet,
} from '../../../src/binlog/mysql-gtid-set.ts'
import { eventsOf } from '../../helpers/fixtures.ts'
import type { FuzzTarget } from '../engine/target.ts'
import { recordedFiles } from '../input/event-bytes.ts'
import { takeFlags, withFlags } from '../input/flags.ts'

const READERS: readonly ((body: Buffer) => void)[] = [
  (body) => addable(decodeMysqlGtidEvent(body, false)),
  (body) => addable(decodeMysqlGtidEvent(body, true)),
  (body) => addable(decodeMysqlTaggedGtidEvent(body)),
  (body) => addable(decodeMariadbGtidEvent(body, body.length)),
  previousGtids,
]
const TYPES: readonly number[] = [
  EventType.MysqlGtid,
  EventType.MysqlAnonymousGtid,
  EventType.MysqlTaggedGtid,
  EventType.MariadbGtid,
  EventType.MysqlPreviousGtids,
]

/** What an event names can be held, and read again as it is printed. */
function addable(event: GtidEvent): void {
  const { flavor } = event
  const set = parseGtidSet(flavor, '')
  addGtidEvent(set, event)
  const text = set.toString()
  const again = parseGtidSet(flavor, text)
  assert.equal(again.toString(), text)
  assert(again.contains(set) && set.contains(again))
  const runs = new GtidRuns()
  runs.add(event)
  runs.add(event)
  const byRuns = parseGtidSet(flavor, '')
  runs.addTo(byRuns)
  assert.equal(byRuns.toString(), text)
}

function previousGtids(body: Buffer): void {
  const set = decodeMysqlGtidSet(body)
  const encoded = encodeMysqlGtidSet(set)
  assert(encoded.length <= body.length)
  assert.equal(decodeMysqlGtidSet(encoded).toString(), set.toString())
  assert.equal(parseMysqlGtidSet(set.toString()).toString(), set.toString())
}

function run(input: Buffer): void {
  const { flags, bytes } = takeFlags(input)
  READERS[flags % READERS.length]?.(bytes)
}

function seeds(): Buffer[] {
  const sets = [
    '',
    '29d14f05-e66c-11f1-a076-02fc00000001:1-5:7',
    '29d14f05-e66c-11f1-a076-02fc00000001:1-5:tag:1-3,3e11fa47-71ca-11e1-9e33-c80aa9429562:9',
  ]
  const bodies = recordedFiles().flatMap((file) =>
    eventsOf(file).flatMap(({ type, bytes }) => {
      const reader = TYPES.indexOf(type)
      return reader < 0 ? [] : [withFlags(reader, bytes.subarray(19, -4))]
    }),
  )
  return [
    ...bodies,
    ...sets.map((text) => withFlags(4, encodeMysqlGtidSet(parseMysqlGtidSet(text)))),
  ]
}

export const createTarget = async (): Promise<FuzzTarget> => ({
  inputBytesMax: 512,
  seeds: seeds(),
  run,
})
