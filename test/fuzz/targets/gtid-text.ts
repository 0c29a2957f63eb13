import assert from 'node:assert/strict'
import { type GtidSet, parseGtidSet } from '../../../src/binlog/gtid-set.ts'
import { MariadbGtidState } from '../../../src/binlog/mariadb-gtid-state.ts'
import { MysqlGtidSet } from '../../../src/binlog/mysql-gtid-set.ts'
import type { FuzzTarget } from '../engine/target.ts'
import { takeFlags, withFlags } from '../input/flags.ts'

const BETWEEN = '|'

/** Two sets as text, and what must be so for any two sets. */
function run(input: Buffer): void {
  const { flags, bytes } = takeFlags(input)
  const flavor = flags & 1 ? 'mysql' : 'mariadb'
  const [first = '', second = ''] = bytes.toString('utf8').split(BETWEEN)
  const one = parseGtidSet(flavor, first)
  assert.equal(parseGtidSet(flavor, one.toString()).toString(), one.toString())
  assert(one.contains(one) && one.missingFrom(one) === '' && one.countMissingFrom(one) === 0n)
  const other = parseGtidSet(flavor, second)
  both(one, other)
  if (second !== '' && !second.includes(',')) one.clone().add(second)
  if (one instanceof MariadbGtidState) {
    const state = parseGtidSet('mariadb', one.toStateString())
    assert(state instanceof MariadbGtidState)
    assert.equal(state.toStateString(), one.toStateString())
  }
}

function both(one: GtidSet, other: GtidSet): void {
  const missing = one.missingFrom(other)
  assert.equal(missing === '', other.contains(one))
  assert.equal(one.countMissingFrom(other) === 0n, missing === '')
  const union = one.clone()
  union.addSet(other)
  assert(union.contains(other))
  if (!(one instanceof MysqlGtidSet) || !(other instanceof MysqlGtidSet)) return
  assert(union.contains(one))
  const [left, right] = [one.minus(other), other.minus(one)]
  left.addSet(right)
  assert.equal(left.minus(one).toString(), right.toString())
  assert.equal(one.count() + right.count(), (union as MysqlGtidSet).count())
}

const A = '29d14f05-e66c-11f1-a076-02fc00000001'
const B = '3E11FA47-71CA-11E1-9E33-C80AA9429562'

export const createTarget = async (): Promise<FuzzTarget> => ({
  inputBytesMax: 400,
  seeds: [
    withFlags(1, Buffer.from(`${A}:1-5:7-9:tag:1-3,\n${B}:4${BETWEEN}${A}:3-8:tag:2`)),
    withFlags(1, Buffer.from(`{${A.replaceAll('-', '')}}:9-2 , ${A}:1${BETWEEN}${B}:t_1:5`)),
    withFlags(0, Buffer.from(`0-1-100,1-2-3,0-2-101${BETWEEN}0-2-99`)),
    withFlags(0, Buffer.from(`${BETWEEN}0-4294967295-18446744073709551615`)),
  ],
  tokens: [A, B, '9223372036854775806', '9223372036854775807', ':1', '-', ',', ' ', 'tag', BETWEEN],
  run,
})
