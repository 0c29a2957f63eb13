import { expect, test } from 'vitest'
import {
  clearWan,
  describeWan,
  isClear,
  parseBetween,
  parseRate,
  parseWanFlags,
} from '../../../../src/lab/wan/wan-settings.ts'

test('turns the flags of the command line into changes', () => {
  expect(parseWanFlags({ rtt: '80', loss: '0.1', rate: '50mbit' })).toEqual({
    delayMs: 40,
    lossPercent: 0.1,
    rateBps: 50_000_000,
  })
  expect(parseWanFlags({ cut: true })).toEqual({ cut: true })
  expect(parseWanFlags({ heal: true })).toEqual({
    cut: false,
    blackhole: null,
    dropAboveBytes: null,
  })
  expect(parseWanFlags({ blackhole: 'b-to-a', dropAbove: '1200' })).toEqual({
    blackhole: 'b-to-a',
    dropAboveBytes: 1200,
  })
  expect(parseWanFlags({ dropAbove: 'none', rate: 'none' })).toEqual({
    dropAboveBytes: null,
    rateBps: null,
  })
})

test.each([
  [{ rtt: 'fast' }],
  [{ loss: '101' }],
  [{ loss: '' }],
  [{ rate: '10 apples' }],
  [{ rate: '10' }],
  [{ blackhole: 'sideways' }],
])('refuses %j and says what it takes', (flags) => {
  expect(() => parseWanFlags(flags)).toThrow(expect.objectContaining({ code: 'ERR_USAGE' }))
})

test('reads two sites, and refuses what is not two of them', () => {
  expect(parseBetween('azure, ec2')).toEqual(['azure', 'ec2'])
  for (const text of ['ec2', 'ec2,ec2', 'ec2,moon', 'ec2,azure,gcp']) {
    expect(() => parseBetween(text)).toThrow(expect.objectContaining({ code: 'ERR_USAGE' }))
  }
})

test('reads rates in bits per second', () => {
  expect(parseRate('1.5gbit')).toBe(1.5e9)
  expect(parseRate('800kbit')).toBe(8e5)
  expect(parseRate('2000')).toBe(2_000)
})

test('is clear only when no packet needs a look', () => {
  expect(isClear(clearWan)).toBe(true)
  expect(isClear({ ...clearWan, lossPercent: 0.1 })).toBe(false)
  expect(isClear({ ...clearWan, cut: true })).toBe(false)
  expect(describeWan({ ...clearWan, delayMs: 40, cut: true })).toBe('rtt 80 ms, loss 0 %, CUT')
})
