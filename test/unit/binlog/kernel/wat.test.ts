import { expect, test } from 'vitest'
import { assembleWat, compileWat } from '../../../../src/binlog/kernel/wat.ts'

const COUNT = `(module
  (import "kernel" "memory" (memory 1))
  (func $twice (param $value i32) (result i32)
    (i32.add (local.get $value) (local.get $value)))
  ;; Adds up the bytes before $end, doubled, and stores the sum behind them.
  (func $count (export "count") (param $at i32) (param $end i32) (result i32)
    (local $sum i32)
    (block $done (loop $more
      (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
      (local.set $sum (i32.add (local.get $sum)
        (call $twice (i32.load8_u offset=0 (local.get $at)))))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br $more)))
    (i32.store offset=1000 (i32.const 0) (local.get $sum))
    (local.get $sum)))`

test('runs a function with a loop, a call and a store', () => {
  const { memory, exports } = compileWat(COUNT, 1)()
  Buffer.from(memory).set([1, 2, 3, 200])
  expect(exports.count?.(0, 4)).toBe(412)
  expect(Buffer.from(memory).readUInt32LE(1000)).toBe(412)
})

test('gives every instance a memory of its own', () => {
  const create = compileWat(COUNT, 1)
  const [one, other] = [create(), create()]
  Buffer.from(one.memory).fill(1)
  expect(other.exports.count?.(0, 100)).toBe(0)
})

test.each([-1, 0, 63, 64, -64, -65, 127, 128, 0x3fc, 0xffffff, -(2 ** 31), 2 ** 31 - 1])(
  'encodes the constant %i',
  (value) => {
    const source = `(module (import "kernel" "memory" (memory 1))
      (func $it (export "it") (param $unused i32) (result i32) (i32.const ${value})))`
    expect(compileWat(source, 1)().exports.it?.(0)).toBe(value)
  },
)

test.each([
  ['an instruction that it does not know', '(f32.add)', 'wat: no instruction f32.add'],
  ['a variable that is not declared', '(local.get $b)', 'wat: nothing is called $b'],
  ['a label that is not open', '(br $out)', 'wat: nothing is called $out'],
  ['a function that is not there', '(call $other)', 'wat: nothing is called $other'],
])('refuses %s', (_name, body, message) => {
  const source = `(module (func $f (param $a i32) (result i32) ${body}))`
  expect(() => assembleWat(source)).toThrow(message)
})
