import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SendWindow } from '../../../src/link/send-window.ts'

const KIB = 1024
const ack = expect.objectContaining({ code: 'ERR_LINK_ACK' })

describe('a send window', () => {
  test('is full at its limit, and has room again for what is acknowledged', () => {
    const window = new SendWindow(100 * KIB)
    window.sent(60 * KIB, 0)
    expect([window.fits(40 * KIB), window.fits(40 * KIB + 1)]).toEqual([true, false])
    window.sent(40 * KIB, 0)
    expect(window.fits(1)).toBe(false)
    window.acked(60 * KIB, 1, 0)
    expect([window.inFlightBytes, window.fits(60 * KIB)]).toEqual([40 * KIB, true])
  })

  test('lets one frame through that is larger than itself, but only alone', () => {
    const window = new SendWindow(10)
    expect(window.fits(KIB)).toBe(true)
    window.sent(KIB, 0)
    expect(window.fits(1)).toBe(false)
    window.acked(KIB, 1, 0)
    expect(window.fits(KIB)).toBe(true)
  })

  test('refuses an acknowledgement that goes back or beyond what was sent', () => {
    const window = new SendWindow(100)
    window.sent(50, 0)
    window.acked(30, 1, 0)
    window.acked(30, 2, 0)
    expect(() => window.acked(29, 3, 0)).toThrow(ack)
    expect(() => window.acked(51, 3, 0)).toThrow(ack)
    expect(window.inFlightBytes).toBe(20)
  })

  test('grows to its limit while the path is quick, and shrinks when it is slow', () => {
    const window = new SendWindow(16 * 1024 * KIB)
    let sent = 0
    let nowMs = 0
    const round = (delayMs: number): void => {
      while (window.fits(64 * KIB)) {
        window.sent(64 * KIB, nowMs)
        sent += 64 * KIB
      }
      nowMs += delayMs
      window.acked(sent, nowMs, 20)
    }
    const start = window.allowanceBytes
    for (let n = 0; n < 20; n += 1) round(20)
    expect(window.allowanceBytes).toBe(window.limitBytes)
    for (let n = 0; n < 20; n += 1) round(10_000)
    expect(window.allowanceBytes).toBeLessThan(start)
    for (let n = 0; n < 40; n += 1) round(20)
    expect(window.allowanceBytes).toBe(window.limitBytes)
  })

  test('keeps its invariant whatever is sent and acknowledged', () => {
    const step = fc.record({ bytes: fc.nat(300_000), share: fc.double({ min: 0, max: 1 }) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const window = new SendWindow(1024 * KIB)
        let [sent, acked] = [0, 0]
        for (const [index, { bytes, share }] of steps.entries()) {
          if (window.fits(bytes)) {
            window.sent(bytes, index * 7)
            sent += bytes
          }
          const total = acked + Math.floor((sent - acked) * (Number.isNaN(share) ? 0 : share))
          window.acked(total, index * 7 + 3, 1)
          acked = total
          expect(window.inFlightBytes).toBe(sent - acked)
          expect(window.allowanceBytes).toBeLessThanOrEqual(window.limitBytes)
          expect(window.allowanceBytes).toBeGreaterThan(0)
        }
      }),
    )
  })
})
