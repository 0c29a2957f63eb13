import fc from 'fast-check'
import { expect, test } from 'vitest'
import { addGtidEvent, type GtidEvent } from '../../../src/binlog/gtid-event.ts'
import { GtidRuns } from '../../../src/binlog/gtid-runs.ts'
import { parseGtidSet } from '../../../src/binlog/gtid-set.ts'

const UUIDS = ['11111111-1111-1111-1111-111111111111', '22222222-2222-2222-2222-222222222222']

const mysql = fc.record({
  flavor: fc.constant('mysql' as const),
  gtid: fc.option(
    fc.record({
      uuid: fc.constantFrom(...UUIDS),
      tag: fc.constantFrom('', 'tag'),
      number: fc.bigInt({ min: 1n, max: 12n }),
    }),
    { freq: 8 },
  ),
  commitUs: fc.constant(0),
  transactionBytes: fc.constant(100),
})

const mariadb = fc.record({
  flavor: fc.constant('mariadb' as const),
  gtid: fc.record({
    domainId: fc.nat(2),
    serverId: fc.nat(2),
    sequence: fc.bigInt({ min: 1n, max: 12n }),
  }),
  standalone: fc.boolean(),
})

test.each([
  ['mysql', mysql],
  ['mariadb', mariadb],
] as const)('adds %s GTIDs in runs to what one by one gives', (flavor, event) => {
  const events: fc.Arbitrary<GtidEvent[]> = fc.array<GtidEvent>(event, { maxLength: 40 })
  fc.assert(
    fc.property(events, (all) => {
      const [single, together] = [parseGtidSet(flavor, ''), parseGtidSet(flavor, '')]
      const runs = new GtidRuns()
      for (const one of all) {
        addGtidEvent(single, one)
        runs.add(one)
      }
      runs.addTo(together)
      expect(together.toString()).toBe(single.toString())
    }),
  )
})
