import { describe, expect, test } from 'vitest'
import { exposureOf, type KnownExposure } from '../../../src/progress/exposure.ts'

const idle: KnownExposure = {
  missing: { bytes: 0, transactions: 0, ms: 0 },
  heldAgoMs: 800,
  provenAgoMs: 800,
  quietMs: 40_000,
  committedIn: (spanMs) => Math.ceil(spanMs / 1000 + 1) * 400,
}

describe('exposure', () => {
  test('is nothing only of a source that is idle, asked just now, and all held', () => {
    expect(exposureOf(idle, true)).toMatchObject({ isIdle: true, atMost: { transactions: 0 } })
    const busy: Partial<KnownExposure>[] = [
      { quietMs: 2_000 },
      { provenAgoMs: 2_600, heldAgoMs: 2_600 },
      { heldAgoMs: null },
      { missing: { bytes: 9, transactions: 1, ms: 20 } },
    ]
    for (const change of busy) {
      const { isIdle, atMost } = exposureOf({ ...idle, ...change }, true)
      expect(isIdle).toBe(false)
      expect(atMost.transactions).not.toBe(0)
    }
    expect(exposureOf(idle, false)).toMatchObject({ isIdle: false, atMost: { ms: 800 } })
  })

  test('grows with the age of the proof', () => {
    const cut = (ms: number) => exposureOf({ ...idle, heldAgoMs: ms, provenAgoMs: ms }, false)
    expect(cut(9_300).atMost).toEqual({ ms: 9_300, transactions: 4_400 })
    expect(cut(60_000).atMost).toEqual({ ms: 60_000, transactions: 24_400 })
  })

  test('of a long backlog counts what is known, and the time since that alone', () => {
    const missing = { bytes: 1e9, transactions: 5_000, ms: 600_000 }
    const behind = { ...idle, missing, heldAgoMs: 600_000, provenAgoMs: 500, quietMs: 0 }
    expect(exposureOf(behind, true)).toEqual({
      atLeast: missing,
      atMost: { ms: 600_000, transactions: 5_800 },
      isIdle: false,
    })
  })

  test('is not known where the rate is not, and never below what is known to be missing', () => {
    const committedIn = () => null
    const missing = { bytes: 9, transactions: 7, ms: 20 }
    expect(exposureOf({ ...idle, missing, committedIn }, true).atMost.transactions).toBeNull()
    const low = exposureOf({ ...idle, missing, committedIn: () => 2 }, true)
    expect(low.atMost.transactions).toBe(7)
    expect(exposureOf(null, true).atMost).toEqual({ ms: null, transactions: null })
  })
})
