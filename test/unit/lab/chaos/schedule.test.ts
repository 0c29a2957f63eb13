import { describe, expect, test } from 'vitest'
import { areaOf, faultName, faultText } from '../../../../src/lab/chaos/fault.ts'
import { FAULT_NAMES, planFaults } from '../../../../src/lab/chaos/schedule.ts'

const options = { seed: 7, seconds: 3_600, scale: 0.15 }
const faultsOf = (seconds: number) =>
  planFaults({ ...options, seconds }).flatMap(({ faults }) => faults.map(({ fault }) => fault))

describe('planFaults', () => {
  test('plans the same faults, times and parameters for the same seed', () => {
    expect(planFaults(options)).toEqual(planFaults(options))
    expect(planFaults({ ...options, seed: 8 })).not.toEqual(planFaults(options))
  })

  test('begins a longer plan with the shorter one', () => {
    const short = planFaults({ ...options, seconds: 60 })
    expect(planFaults(options).slice(0, short.length)).toEqual(short)
  })

  test('draws every kind of fault within hours', () => {
    const drawn = new Set(faultsOf(20_000).map(faultName))
    expect([...drawn].sort()).toEqual([...FAULT_NAMES].sort())
  })

  test('stops a process for 1 to 90 s, times the scale', () => {
    const holds = planFaults({ ...options, scale: 1, seconds: 20_000, only: ['stop'] })
      .flatMap(({ faults }) => faults)
      .map(({ fault }) => fault.holdMs)
    expect(Math.min(...holds)).toBeGreaterThanOrEqual(1_000)
    expect(Math.min(...holds)).toBeLessThan(2_000)
    expect(Math.max(...holds)).toBeLessThanOrEqual(90_000)
    expect(Math.max(...holds)).toBeGreaterThan(60_000)
  })

  test('never lets two faults at once share what they break', () => {
    const pairs = planFaults({ ...options, seconds: 20_000 }).filter(
      ({ faults }) => faults.length > 1,
    )
    expect(pairs.length).toBeGreaterThan(100)
    for (const { faults } of pairs) {
      const areas = faults.map(({ fault }) => areaOf(fault))
      expect(new Set(areas).size).toBe(faults.length)
      const hasTwin = faults.some(({ fault }) => faultName(fault) === 'twin-replica')
      expect(hasTwin && areas.includes('dr')).toBe(false)
    }
  })

  test('can be held to some faults', () => {
    const names = new Set(
      planFaults({ ...options, only: ['wan cut', 'disk'] }).flatMap(({ faults }) =>
        faults.map(({ fault }) => faultName(fault)),
      ),
    )
    expect([...names].sort()).toEqual(['disk-full', 'wan cut'])
    expect(planFaults({ ...options, only: ['nothing such'] })).toEqual([])
  })
})

test('a fault is told with what was drawn for it', () => {
  expect(faultText({ action: { kind: 'stop', target: 'dr-gateway' }, holdMs: 1_500 })).toBe(
    'stop dr-gateway, for 1.5 s',
  )
  expect(
    faultText({
      action: { kind: 'wan', name: 'mtu', change: { dropAboveBytes: 600 } },
      holdMs: 2_000,
    }),
  ).toBe('wan mtu, dropAboveBytes 600, for 2.0 s')
  expect(
    faultText({ action: { kind: 'clock-step', site: 'dr', stepMs: -2_000 }, holdMs: 900 }),
  ).toBe('clock-step dr, stepMs -2000, for 0.9 s')
})
