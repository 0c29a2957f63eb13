import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import type { Flavor } from '../../src/base/flavor.ts'
import { compareLab, isEqual } from '../../src/lab/compare/compare-copy.ts'
import { changeWan } from '../../src/lab/lab-control.ts'
import { describeLab, describeLabText } from '../../src/lab/lab-description.ts'
import { downLab } from '../../src/lab/lab-down.ts'
import { labPaths } from '../../src/lab/lab-paths.ts'
import { readSites, streamAt } from '../../src/lab/lab-readiness.ts'
import { copiesOf, type LabShape, labShape } from '../../src/lab/lab-shape.ts'
import type { SiteName } from '../../src/lab/lab-sites.ts'
import { databaseOf, type LabState, listLabs, sourceOf } from '../../src/lab/lab-state.ts'
import { upLab } from '../../src/lab/lab-up.ts'
import { Workload } from '../../src/lab/load/workload.ts'
import { withRoot } from '../../src/lab/servers/lab-databases.ts'
import { describeFlavors } from '../helpers/needs.ts'

const signal = new AbortController().signal
/** Of each flavour one of the two ways in which a lab can be larger than a pair. */
const SHAPES: Readonly<Record<Flavor, LabShape>> = {
  mariadb: labShape({ sites: 3, streams: 1, origin: 'azure' }),
  mysql: labShape({ sites: 2, streams: 2 }),
}
const ARROWS: Readonly<Record<Flavor, readonly RegExp[]>> = {
  mariadb: [/^ {4}azure ──▶ ec2 +streaming, /m, /^ {10}└─▶ gcp +streaming, /m],
  mysql: [/^ {4}ec2 ──▶ azure +streaming, /m, /^ {4}azure ──▶ ec2 +streaming, /m],
}
const TRANSACTIONS = 200

describeFlavors('a larger lab of %s', { needs: ['root'] }, (flavor) => {
  const paths = labPaths(`s-${randomBytes(4).toString('hex')}`)
  const shape = SHAPES[flavor]
  let state: LabState

  beforeAll(async () => {
    const options = { paths, shape, flavor, wan: {}, gateways: true, progress: () => undefined }
    state = (await upLab({ ...options, signal })).state
  })

  afterAll(async () => {
    await downLab(paths)
    expect(await listLabs()).not.toContain(paths.name)
  })

  test('is whole, and draws who is origin and who is a copy', async () => {
    const lab = await describeLab(paths, state)
    expect(lab).toMatchObject({ ok: true, problems: [] })
    expect(lab.streams.map(({ name, origin }) => ({ name, origin }))).toEqual(shape.streams)
    for (const arrow of ARROWS[flavor]) expect(describeLabText(lab)).toMatch(arrow)
  })

  test('has every copy equal after load at every origin', async () => {
    const load = async (socket: string) => {
      const workload = new Workload({
        ...{ socket, flavor, clock: systemClock, writers: 4, transactionsPerSecond: 200 },
        ...{ secondsMax: 60, transactionsMax: TRANSACTIONS, definitionSeconds: 0.5, seed: 3 },
      })
      await workload.run(signal)
      expect(workload.status().committed).toBe(TRANSACTIONS)
    }
    await Promise.all(shape.streams.map(({ name }) => load(sourceOf(state, name).socket)))
    const reports = await compareLab({ state, waitSeconds: 60, signal })
    expect(reports.map(({ stream, site }) => ({ stream, site }))).toEqual(copiesOf(shape))
    for (const { label, spool, tables } of reports) {
      expect(label).toMatch(/^(main|back) at (ec2|azure|gcp)$/)
      expect(spool).toMatchObject({ identical: true, failures: [] })
      expect(tables).toMatchObject({ equal: true, failures: [] })
      expect(tables.rows).toBeGreaterThan(TRANSACTIONS)
    }
  })

  test('names the copy that lacks a row, and no other', async () => {
    const last = copiesOf(shape).at(-1)
    if (last === undefined) throw new Error('there are two')
    await withRoot(databaseOf(state, last.stream, last.site), async (connection) => {
      const variable = flavor === 'mysql' ? 'super_read_only' : 'read_only'
      await connection.query(`SET GLOBAL ${variable} = OFF`)
      await connection.query('SET SESSION sql_log_bin = 0')
      await connection.query('DELETE FROM landbridge_load.ledger WHERE id = 17')
    })
    const reports = await compareLab({ state, waitSeconds: 60, signal })
    const different = reports.filter((report) => !isEqual(report))
    expect(different).toMatchObject([{ ...last, spool: { identical: true } }])
    expect(different[0]?.tables.failures.join()).toContain('199 at the replica')
  })

  // Of two sites no third is left.
  if (shape.sites.length < 3) return

  test('a cut between two sites leaves the third its copy', async () => {
    // Not the place in a file: MariaDB writes checkpoints whenever it likes.
    const synced = async (site: SiteName) => {
      const stream = streamAt(await readSites(state.gateways), { stream: 'main', site })
      return stream?.spool?.synced?.gtids
    }
    const before = [await synced('ec2'), await synced('gcp')]
    await changeWan(paths, { cut: true }, ['azure', 'gcp'])
    await withRoot(sourceOf(state, 'main'), (connection) =>
      connection.query('CREATE DATABASE after_the_cut'),
    )
    await expect.poll(() => synced('ec2')).not.toBe(before[0])
    // As long again, since what does not come cannot be waited for.
    await sleep(1_000)
    expect(await synced('gcp')).toBe(before[1])
    await changeWan(paths, { cut: false }, ['gcp', 'azure'])
    await expect.poll(() => synced('gcp')).not.toBe(before[1])
  })
})
