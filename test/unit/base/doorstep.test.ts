import { describe, expect, test } from 'vitest'
import { Doorstep, type Guest, groupOf } from '../../../src/base/doorstep.ts'
import { Refusals } from '../../../src/base/refusals.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'

const LIMITS = {
  guestsMax: 4,
  guestsPerAddressMax: 3,
  arrivalsPerSecondMax: 100,
  guestMs: 10_000,
}

class Porch {
  readonly clock = new FakeClock()
  readonly gone: string[] = []
  readonly doorstep: Doorstep

  constructor(limits: Partial<typeof LIMITS> = {}) {
    this.doorstep = new Doorstep({
      limits: { ...LIMITS, ...limits },
      clock: this.clock,
      onDismissed: (why, address) => this.gone.push(`${why} ${address}`),
    })
  }

  /** Each guest by a name of its own in what is dismissed. */
  enter(address: string, name = address): Guest | null {
    return this.doorstep.enter(address, () => this.gone.push(name))
  }
}

describe('the doorstep', () => {
  test('takes the oldest guest of the address that has most for a newcomer of another', () => {
    const porch = new Porch()
    porch.enter('10.0.0.2', 'lonely')
    for (const name of ['first', 'second', 'third']) porch.enter('10.0.0.1', name)
    expect(porch.enter('10.0.0.3')).not.toBeNull()
    expect(porch.gone).toEqual(['first', 'crowded 10.0.0.1'])
    expect(porch.doorstep.guests).toBe(4)
  })

  test('lets one address hold no more than its share', () => {
    const porch = new Porch()
    for (let count = 0; count < 20; count += 1) porch.enter('10.0.0.1', `guest ${count}`)
    expect(porch.doorstep.guests).toBe(3)
    expect(porch.gone).toContain('guest 16')
    expect(porch.gone).not.toContain('guest 17')
  })

  test('never touches who was let in', () => {
    const porch = new Porch()
    porch.enter('10.0.0.1', 'let in')?.leave()
    for (let count = 0; count < 50; count += 1) porch.enter(`10.0.1.${count}`)
    expect(porch.gone).not.toContain('let in')
    expect(porch.doorstep.guests).toBe(4)
  })

  test('ends at its time, which nothing makes longer', async () => {
    const porch = new Porch()
    porch.enter('10.0.0.1', 'slow')
    await porch.clock.advance(9_999)
    expect(porch.doorstep.guests).toBe(1)
    await porch.clock.advance(1)
    expect(porch.gone).toEqual(['slow', 'late 10.0.0.1'])
    expect(porch.doorstep.guests).toBe(0)
  })

  test('turns away an address that comes too often, and takes it again later', async () => {
    const porch = new Porch({ arrivalsPerSecondMax: 2 })
    for (let count = 0; count < 4; count += 1) expect(porch.enter('10.0.0.1')).not.toBeNull()
    expect(porch.enter('10.0.0.1')).toBeNull()
    expect(porch.enter('10.0.0.2')).not.toBeNull()
    expect(porch.gone.at(-1)).toBe('too-often 10.0.0.1')
    await porch.clock.advance(500)
    expect(porch.enter('10.0.0.1')).not.toBeNull()
    expect(porch.enter('10.0.0.1')).toBeNull()
  })

  test('is empty when the door closes for good', () => {
    const porch = new Porch()
    porch.enter('10.0.0.1')
    porch.enter('10.0.0.2')
    porch.doorstep.clear()
    expect(porch.gone).toEqual(['10.0.0.1', '10.0.0.2'])
    expect([porch.doorstep.guests, porch.clock.sleeping]).toEqual([0, 0])
  })

  test.each([
    ['127.0.0.1', '127.0.0.1'],
    ['::ffff:127.0.0.1', '127.0.0.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
    ['2001:db8::6', '2001:db8:0:0'],
    ['fe80::1%eth0', 'fe80:0:0:0'],
    ['::1', '0:0:0:0'],
  ])('counts %s as %s', (address, group) => {
    expect(groupOf(address)).toBe(group)
  })
})

describe('refusals', () => {
  test('are all counted, and told once for each reason, then now and then', async () => {
    const clock = new FakeClock()
    const lines: object[] = []
    const log = {
      debug() {},
      info() {},
      warn: (fields: object) => lines.push(fields),
      error() {},
      child: () => log,
    }
    const refusals = new Refusals({ clock, log, door: 'relay' })
    // In turn: a line for each change of the reason would be a line for each connection.
    for (let count = 0; count < 1_000; count += 1) {
      refusals.add(count % 2 === 0 ? 'late' : 'malformed', '10.0.0.1')
    }
    expect(lines).toHaveLength(2)
    await clock.advance(300_000)
    refusals.add('late', '10.0.0.2')
    expect(lines.at(-1)).toMatchObject({ reason: 'late', address: '10.0.0.2', repeated: 499 })
    expect(refusals.status()).toEqual([
      { reason: 'late', connections: 501 },
      { reason: 'malformed', connections: 500 },
    ])
  })
})
