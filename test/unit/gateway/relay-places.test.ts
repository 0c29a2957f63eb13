import { describe, expect, test } from 'vitest'
import { openFilesMax, parseOpenFilesMax } from '../../../src/base/open-files.ts'
import { relayPlaces } from '../../../src/gateway/relay-places.ts'
import { RELAY_LIMITS } from '../../../src/relay/relay-server.ts'

describe('the places of a relay', () => {
  test.each([
    [Number.POSITIVE_INFINITY, 1, 24, 50, 32],
    [1024, 4, 24, 50, 32],
    [1024, 8, 18, 38, 24],
    [256, 1, 24, 50, 32],
    [128, 1, 2, 6, 3],
    [64, 1, 1, 3, 1],
  ])('of %d descriptors and %d relays', (filesMax, relays, dumpsMax, loginsMax, greetingsMax) => {
    const places = relayPlaces(filesMax, relays, RELAY_LIMITS)
    expect(places).toEqual({ dumpsMax, loginsMax, greetingsMax })
  })

  test.each([
    ['Max open files            1024                 524288               files', 1024],
    ['Max open files            unlimited            unlimited            files', Infinity],
    ['Max processes             63466                63466                processes', Infinity],
  ])('are read from "%s"', (line, max) => {
    expect(parseOpenFilesMax(`Limit   Soft Limit   Hard Limit   Units\n${line}\n`)).toBe(max)
  })

  test('are known of this process', () => {
    expect(openFilesMax()).toBeGreaterThan(64)
  })
})
