import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { needs } from '../helpers/needs.ts'
import { ReplicatedPair } from '../helpers/pair/replicated-pair.ts'
import { type SqlGroup, STRANGER_SQL } from '../helpers/relay/stranger-sql.ts'

/** The newer MariaDB is Debian's latest; of MySQL Debian has one version only. */
const SERVERS = [
  { flavor: 'mysql', release: 'usual', need: 'mysql' },
  { flavor: 'mariadb', release: 'usual', need: 'mariadb' },
  { flavor: 'mariadb', release: 'newer', need: 'newer-mariadb' },
] as const

for (const { flavor, release, need } of SERVERS) {
  describe(`what a stranger runs on ${flavor}, ${release}`, needs(need), () => {
    let pair: ReplicatedPair
    let files = 0

    beforeAll(async () => {
      pair = await ReplicatedPair.create(flavor, { source: { release }, replica: { release } })
      const sql = await pair.sql()
      await sql.query('SET GLOBAL local_infile = ON')
    })
    afterAll(() => pair?.stop())

    async function runGroup(group: SqlGroup): Promise<void> {
      const connection = await pair.sql()
      await group.run({
        flavor,
        connection,
        open: () => pair.sql(),
        file: async (content) => {
          files += 1
          const path = join(pair.servers.directory, `load-${files}.txt`)
          await writeFile(path, content, { mode: 0o644 })
          return path
        },
        run: async (...statements) => {
          for (const statement of statements) {
            await connection.query(statement).catch((error: Error) => {
              throw new Error(`${error.message} in: ${statement.slice(0, 300)}`)
            })
          }
        },
      })
      connection.destroy()
    }

    test.each(STRANGER_SQL.filter(({ only }) => only === undefined || only === flavor))(
      'arrives at the replica: $name',
      async (group) => {
        await runGroup(group)
        expect(await pair.compareTables()).toMatchObject({ equal: true, failures: [] })
      },
    )

    test('is in the spool byte for byte, and the binlog tool reads all of it', async () => {
      const report = await pair.compareSpool()
      expect(report).toMatchObject({ identical: true, failures: [] })
      expect(report.bytes).toBe(report.sourceBytes)
      // The file that the source writes to may have been begun a moment ago.
      await pair.eventually(async () => (await pair.spoolFiles()).length > report.files)
      await pair.readWithTool(...(await pair.spoolFiles()))
    })
  })
}
