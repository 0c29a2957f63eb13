import { describe, expect, test } from 'vitest'
import { areaOf, faultName, faultText, mayOverlap } from '../../../../src/lab/chaos/fault.ts'
import { faultNames, planFaults } from '../../../../src/lab/chaos/schedule.ts'
import { labShape } from '../../../../src/lab/lab-shape.ts'

const shape = labShape({ sites: 2, streams: 1 })
const large = labShape({ sites: 4, streams: 2 })
const options = { shape, seed: 7, seconds: 3_600, scale: 0.15 }
const faultsOf = (seconds: number, of = shape) =>
  planFaults({ ...options, shape: of, seconds }).flatMap(({ faults }) =>
    faults.map(({ fault }) => fault),
  )

/** The seed that README and CONTRIBUTING name, and runs in test/RESULTS.md. */
const SEED_4 = [
  'stop azure-wireguard, for 0.4 s',
  'stop ec2-gateway, for 1.5 s',
  'flush-logs, at ec2-db, times 4, for 0.1 s',
  'wan blackhole, blackhole b-to-a, for 0.8 s',
]

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
    expect([...drawn].sort()).toEqual(faultNames(shape).sort())
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
      expect(hasTwin && areas.includes('azure')).toBe(false)
    }
  })

  test('draws the first faults of a seed as it always did', () => {
    const names = planFaults({ ...options, seed: 4, seconds: 30 }).flatMap(({ faults }) =>
      faults.map(({ fault }) => faultText(fault)),
    )
    expect(names.slice(0, 4)).toEqual(SEED_4)
  })

  test('breaks every site, database, disk and pair of a larger lab', () => {
    const faults = faultsOf(200_000, large)
    expect(new Set(faults.map(faultName))).toEqual(new Set(faultNames(large)))
    const areas = new Set<string>(faults.map(areaOf))
    const databases = large.sites.flatMap((site) => [`${site}-db-main`, `${site}-db-back`])
    const disks = large.sites.map((site) => `disk ${site}`)
    expect([...areas].sort()).toEqual([...large.sites, ...databases, ...disks, 'wan'].sort())
    const places = faults.flatMap(({ action }) =>
      action.kind === 'wan' && action.name === 'cut' ? [String(action.between)] : [],
    )
    // All, and each of six pairs.
    expect(new Set(places).size).toBe(7)
  })

  test('a twin of a replica is not drawn beside a fault of the gateway it reads from', () => {
    const twin = { action: { kind: 'twin-replica', at: 'gcp-db', site: 'gcp' }, holdMs: 1 } as const
    const stop = (target: 'gcp-gateway' | 'azure-gateway') =>
      ({ action: { kind: 'stop', target }, holdMs: 1 }) as const
    expect(mayOverlap(twin, stop('gcp-gateway'))).toBe(false)
    expect(mayOverlap(stop('gcp-gateway'), twin)).toBe(false)
    expect(mayOverlap(twin, stop('azure-gateway'))).toBe(true)
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
  expect(faultText({ action: { kind: 'stop', target: 'azure-gateway' }, holdMs: 1_500 })).toBe(
    'stop azure-gateway, for 1.5 s',
  )
  expect(
    faultText({
      action: { kind: 'wan', name: 'mtu', between: null, change: { dropAboveBytes: 600 } },
      holdMs: 2_000,
    }),
  ).toBe('wan mtu, dropAboveBytes 600, for 2.0 s')
  expect(
    faultText({
      action: { kind: 'wan', name: 'cut', between: ['ec2', 'gcp'], change: { cut: true } },
      holdMs: 2_000,
    }),
  ).toBe('wan cut, ec2 - gcp, cut true, for 2.0 s')
  expect(
    faultText({ action: { kind: 'dump-kill', at: 'ec2-db', times: 2, bytes: 64 }, holdMs: 50 }),
  ).toBe('dump-kill, at ec2-db, times 2, bytes 64, for 0.1 s')
  expect(
    faultText({ action: { kind: 'clock-step', site: 'azure', stepMs: -2_000 }, holdMs: 900 }),
  ).toBe('clock-step azure, stepMs -2000, for 0.9 s')
})
