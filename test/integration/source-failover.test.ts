import { readdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFailed, test } from 'vitest'
import type { Flavor } from '../../src/base/flavor.ts'
import { compareFiles } from '../../src/lab/compare/compare-spool.ts'
import { epochFolders } from '../../src/lab/compare/spool-files.ts'
import type { RunningServer } from '../../src/lab/servers/server-options.ts'
import { needs } from '../helpers/needs.ts'
import { ReplicatedPair } from '../helpers/pair/replicated-pair.ts'
import {
  caughtUp,
  follow,
  newestOwn,
  promote,
  threadsOf,
} from '../helpers/servers/native-replication.ts'

/**
 * The source fails over to a server that has replicated from it, and back, while a native replica
 * hangs on the relay. On MySQL a promoted server adds GTIDs of its own server_uuid; on MariaDB it
 * goes on in the same domain under its own server_id, or, where `domains`, in a domain of its own
 * with gtid_strict_mode off, as multi-source set-ups do.
 */
const CASES: readonly { readonly flavor: Flavor; readonly domains: boolean }[] = [
  { flavor: 'mysql', domains: false },
  { flavor: 'mariadb', domains: false },
  { flavor: 'mariadb', domains: true },
]

for (const { flavor, domains } of CASES) {
  describe(`the source, ${flavor} (domains: ${domains}), fails over`, needs(flavor), () => {
    let pair: ReplicatedPair
    let first: RunningServer
    let second: RunningServer
    /** Whose files each epoch of the spool holds. */
    const epochs: RunningServer[] = []
    let written = 0

    const options = (serverId: number) => ({
      serverId,
      ...(domains && { arguments: [`--gtid-domain-id=${serverId}`, '--gtid-strict-mode=OFF'] }),
    })

    beforeAll(async () => {
      pair = await ReplicatedPair.create(flavor, { source: options(1), replica: options(2) })
      first = pair.source
      second = await pair.servers.start(flavor, options(3))
      await pair.admit(second)
      await follow(second, first)
      const sql = await pair.sql()
      // Without a key, so that a transaction that came twice is there twice.
      await sql.query('CREATE DATABASE drama; CREATE TABLE drama.ledger (n INT, v TEXT)')
      epochs.push(first)
    })
    beforeEach(() => onTestFailed(async () => console.error(await pair.logTails())))
    afterAll(() => pair?.stop())

    /** Some transactions at `server`, over three of its files. */
    async function write(server: RunningServer): Promise<void> {
      const sql = await pair.sql(server)
      for (let file = 0; file < 3; file += 1) {
        for (let count = 0; count < 10; count += 1) {
          written += 1
          await sql.query(`INSERT INTO drama.ledger VALUES (${written}, REPEAT('v', ${written}))`)
        }
        if (file < 2) await sql.query('FLUSH BINARY LOGS')
      }
      sql.destroy()
    }

    /** `from` is lost when `to` has all of it, and more than DR got; then people write to `to`. */
    async function failOver(from: RunningServer, to: RunningServer): Promise<void> {
      await write(from)
      await pair.synced()
      await pair.pair.kill('production')
      await write(from)
      await caughtUp(to, from)
      await promote(to)
      await from.stop()
      await write(to)
      await pair.moveSource(to)
      epochs.push(to)
      await write(to)
      await pair.synced()
    }

    /** The server that was lost comes back as replica of the one that took over. */
    async function comeBack(server: RunningServer, source: RunningServer): Promise<RunningServer> {
      const { directory, port, serverId } = server
      const again = await pair.servers.start(flavor, { ...options(serverId), directory, port })
      await follow(again, source)
      await caughtUp(again, source)
      return again
    }

    async function expectNothingNoticed(): Promise<void> {
      const replica = pair.replica as RunningServer
      await caughtUp(replica, pair.source)
      expect(await threadsOf(replica)).toEqual({ ioRuns: true, sqlRuns: true, errors: '' })
      expect(await pair.compareTables()).toMatchObject({ equal: true, failures: [] })
      const [rows] = await (await pair.sql(replica)).query('SELECT COUNT(*) AS n FROM drama.ledger')
      expect(rows).toEqual([{ n: written }])
    }

    /** Every epoch is a run of its server's files, the last of them up to where it was left. */
    async function expectIdenticalEpochs(): Promise<void> {
      const folders = await epochFolders(pair.pair.spoolDirectory)
      expect(folders.length).toBe(epochs.length)
      for (const [index, folder] of folders.entries()) {
        const { binlogDirectory } = epochs[index] as RunningServer
        const files = (await readdir(folder)).filter((name) => /\.\d+$/.test(name)).sort()
        const all = (await readdir(binlogDirectory)).filter((name) => /\.\d+$/.test(name)).sort()
        const at = all.indexOf(files[0] ?? '')
        expect(files).toEqual(all.slice(at, at + files.length))
        for (const name of files) {
          const spool = join(folder, name)
          const { bytes, difference } = await compareFiles(join(binlogDirectory, name), spool)
          const where = `${basename(folder)}/${name}: ${difference}`
          if (name !== files.at(-1)) expect(where).toBe(`${basename(folder)}/${name}: null`)
          else expect(where).toMatch(/source has|null/)
          expect(bytes).toBeGreaterThan(0)
        }
        await pair.readWithTool(...files.map((name) => join(folder, name)))
      }
    }

    test('to a server that has more than DR: a new epoch, each transaction once', async () => {
      await failOver(first, second)
      await expectNothingNoticed()
      await expectIdenticalEpochs()
      expect(await pair.compareTables()).toMatchObject({ equal: true })
    })

    test('and back, where names of files are used again, and away once more', async () => {
      first = await comeBack(first, second)
      await failOver(second, first)
      await expectNothingNoticed()
      second = await comeBack(second, first)
      await failOver(first, second)
      await expectNothingNoticed()
      // Its files of before the epoch were not asked for again: they are not late.
      const report = await pair.compareSpool(60, { allowsOlder: true })
      expect(report).toMatchObject({ identical: true, failures: [] })
      expect(report.older.length).toBeGreaterThan(0)
      expect(report.olderReason).toMatch(/^from before the newest epoch/)
      await expectIdenticalEpochs()
      const names = await Promise.all(
        (await epochFolders(pair.pair.spoolDirectory)).map((f) => readdir(f)),
      )
      const files = names.flat().filter((name) => /\.\d+$/.test(name))
      expect(new Set(files).size).toBeLessThan(files.length)
    })

    test('and DR, restarted, and a replica that was away find their way over epochs', async () => {
      const replica = pair.replica as RunningServer
      await pair.restartGateway('dr')
      await pair.control(replica, 'STOP')
      await write(pair.source)
      await pair.synced()
      await pair.control(replica, 'START')
      await expectNothingNoticed()
      const late = await pair.servers.start(flavor, options(5))
      await pair.attach(late)
      await caughtUp(late, pair.source)
      expect(await pair.compareTables(60, late)).toMatchObject({ equal: true, failures: [] })
    })

    test('to a server that lacks what a copy holds: blocked, the extra GTIDs named', async () => {
      first = await comeBack(first, second)
      await promote(first)
      const before = await newestOwn(second)
      await write(second)
      await pair.synced()
      const lost = await newestOwn(second)
      // Longer than what it lacks, so that a count of transactions alone would not tell.
      for (let round = 0; round < 3; round += 1) await write(first)
      written -= 90
      await pair.moveSource(first)
      const { problems } = await pair.pair.until('dr', ({ state }) => state === 'blocked')
      const diverged = problems.find(({ code }) => code === 'ERR_SOURCE_DIVERGED')
      expect(diverged?.remedy).toContain('reseed the replica')
      expect(diverged?.message).toMatch(new RegExp(`never had: .*-${lost}(?:,|$)`))
      expect(before).not.toBe(lost)
      expect((await pair.pair.command('dr', 'status')).exitCode).toBe(3)
      expect((await pair.pair.command('production', 'status')).exitCode).toBe(3)
      await pair.moveSource(second)
      await write(second)
      await pair.synced()
      await expectNothingNoticed()
      await expectIdenticalEpochs()
    })
  })
}
