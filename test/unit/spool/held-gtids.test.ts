import fc from 'fast-check'
import { expect, test } from 'vitest'
import { GtidRuns } from '../../../src/binlog/gtid-runs.ts'
import { parseGtidSet } from '../../../src/binlog/gtid-set.ts'
import { HeldGtids } from '../../../src/spool/held-gtids.ts'

/** One transaction of a MariaDB domain. */
function batch(domainId: number, sequence: number): GtidRuns {
  const runs = new GtidRuns()
  const gtid = { domainId, serverId: 1, sequence: BigInt(sequence) }
  runs.add({ flavor: 'mariadb', gtid } as Parameters<GtidRuns['add']>[0])
  return runs
}

const steps = fc.array(fc.record({ domain: fc.nat(3), batches: fc.nat(120) }), { maxLength: 12 })

test('what was held at a moment stays what it was, whatever is added and whoever asks', () => {
  fc.assert(
    fc.property(steps, fc.nat(), (list, seed) => {
      let held = HeldGtids.of(parseGtidSet('mariadb', ''))
      const expected = parseGtidSet('mariadb', '')
      const moments: [HeldGtids, string][] = [[held, '']]
      let sequence = 0
      for (const { domain, batches } of list) {
        const from = sequence + 1
        sequence += batches
        const added = Array.from({ length: batches }, (_, n) => batch(domain, from + n))
        held = held.with(added)
        for (const one of added) one.addTo(expected)
        moments.push([held, expected.toString()])
        if ((seed + sequence) % 3 === 0) expect(held.toString()).toBe(expected.toString())
      }
      for (const [moment, text] of moments) expect(moment.toString()).toBe(text)
      // To go on from an older moment does not change a newer one.
      const other = moments[0]?.[0].with([batch(9, 1)])
      expect(other?.toString()).toBe('9-1-1')
      expect(held.toString()).toBe(expected.toString())
    }),
  )
})

test('a copy is the caller’s own', () => {
  const held = HeldGtids.of(parseGtidSet('mariadb', '0-1-5'))
  held.copy().addSet(parseGtidSet('mariadb', '0-1-9'))
  expect(held.toString()).toBe('0-1-5')
})
