import { expect, test } from 'vitest'
import { GtidRuns } from '../../../src/binlog/gtid-runs.ts'
import { parseGtidSet } from '../../../src/binlog/gtid-set.ts'
import { SpoolCatalog } from '../../../src/spool/spool-catalog.ts'
import { beginFile, type EpochRecord } from '../../../src/spool/spool-file.ts'
import { epochSource } from '../../helpers/spool/spool-fixture.ts'

function epoch(number: number, breaksLineage = false): EpochRecord {
  return {
    ...{ format: 1, epoch: number, source: epochSource('mariadb'), reason: 'for a test' },
    ...{ startedAtMs: number, gtidsBefore: '', breaksLineage },
  }
}

function gtid(sequence: number): GtidRuns {
  const runs = new GtidRuns()
  const one = { domainId: 0, serverId: 1, sequence: BigInt(sequence) }
  runs.add({ flavor: 'mariadb', gtid: one } as Parameters<GtidRuns['add']>[0])
  return runs
}

function published(catalog: SpoolCatalog, ordinal: number, transactions: number): SpoolCatalog {
  const figures = {
    ...{ bytes: transactions * 100, complete: false, transactions },
    ...{ firstTimestamp: 1, lastTimestamp: transactions },
  }
  return catalog.published({ ordinal, figures, checksum: true, gtids: [gtid(transactions)] })
}

function withFile(catalog: SpoolCatalog, name: string): SpoolCatalog {
  const gtidsBefore = catalog.gtidsToStandOn()
  return catalog.withFile(name, (ordinal, { epoch: number }) =>
    beginFile('/spool', { ordinal, epoch: number, name, gtidsBefore }),
  ).catalog
}

/** All that a reader can ask. */
function shown(catalog: SpoolCatalog): unknown {
  return {
    stored: catalog.storedFiles().map(({ epoch: number, name, bytes }) => [number, name, bytes]),
    files: catalog.files().map(({ name }) => name),
    begun: catalog.unpublishedFiles().map(({ name }) => name),
    end: catalog.end(),
    held: catalog.held(),
    bytes: catalog.bytes,
    gtids: catalog.gtids(),
    standsOn: catalog.gtidsToStandOn(),
    purged: catalog.purgedGtids(),
    lineage: catalog.lineage()?.epoch ?? null,
    readable: [1, 2, 3].map((ordinal) => catalog.readableBytes(ordinal)),
  }
}

test('a catalog is the same for ever, whatever is made of it', () => {
  const moments: [SpoolCatalog, unknown][] = []
  let catalog = SpoolCatalog.empty()
  const step = (change: (now: SpoolCatalog) => SpoolCatalog): void => {
    catalog = change(catalog)
    moments.push([catalog, shown(catalog)])
  }
  step((now) => now.withEpoch(epoch(1), parseGtidSet('mariadb', '')))
  step((now) => withFile(now, 'binlog.000001'))
  step((now) => published(now, 1, 1))
  step((now) => published(now, 1, 2))
  step((now) => withFile(now, 'binlog.000002'))
  step((now) => published(now, 2, 3))
  step((now) => now.withEpoch(epoch(2, true), parseGtidSet('mariadb', '')))
  step((now) => withFile(now, 'binlog.000001'))
  step((now) => now.withFileStandingOn(3, '0-9-9'))
  step((now) => published(now, 3, 4))
  step((now) => now.withoutFile(now.storedFiles()[0] as never))
  step((now) => withFile(now, 'binlog.000002'))
  step((now) => now.withoutFile(now.unpublishedFiles()[0] as never))
  step((now) => now.withRenewedEpoch({ ...epoch(2, true), reason: 'renewed' }))
  step((now) => now.withEpoch(epoch(3), parseGtidSet('mariadb', '')))
  step((now) => now.withoutUnusedEpoch())
  for (const [moment, before] of moments) expect(shown(moment)).toEqual(before)
  expect(shown(catalog)).toMatchObject({
    stored: [
      [1, 'binlog.000002', 300],
      [2, 'binlog.000001', 400],
    ],
    files: ['binlog.000001'],
    ...{ bytes: 700, gtids: '0-1-4', purged: '0-9-9', lineage: 2, readable: [0, 300, 400] },
  })
})

test('what a publication makes shares the files of before with it', () => {
  const files = Array.from({ length: 1000 }, (_, index) => {
    const place = { ordinal: index + 1, epoch: 1, name: `b.${index + 1}`, gtidsBefore: '' }
    return beginFile('/spool', place).grown({
      ...{ bytes: 10, complete: true, transactions: 1, firstTimestamp: 1, lastTimestamp: 1 },
    })
  })
  const gtids = parseGtidSet('mariadb', '0-1-5')
  const before = SpoolCatalog.of({ files, epochs: [epoch(1)], gtids, checksum: true })
  const after = published(before, 1000, 7)
  expect(after.storedFiles().slice(0, -1)).toEqual(before.storedFiles().slice(0, -1))
  expect(after.fileOf(500)).toBe(before.fileOf(500))
  expect([before.bytes, after.bytes]).toEqual([10_000, 999 * 10 + 700])
  expect([before.gtids(), after.gtids()]).toEqual(['0-1-5', '0-1-7'])
})
