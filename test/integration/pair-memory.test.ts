import { execFile } from 'node:child_process'
import { rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { findServerBinaries } from '../../src/lab/servers/server-binaries.ts'
import { describeFlavors } from '../helpers/needs.ts'
import { processBytes, ReplicatedPair } from '../helpers/pair/replicated-pair.ts'

const run = promisify(execFile)
const MIB = 1024 ** 2
const MEMORY_BYTES_MAX = 200e6
const ROW_BYTES = 64 * MIB
/** More than either gateway may have in memory; LANDBRIDGE_TRANSACTION_MIB=1024 for a table. */
const ROWS = Math.ceil(Number(process.env.LANDBRIDGE_TRANSACTION_MIB ?? 320) / 64)

/** Blackhole keeps no rows but logs them: the source's own disk is not what is measured. */
describeFlavors('a %s transaction of several hundred MB', (flavor) => {
  let pair: ReplicatedPair

  beforeAll(async () => {
    pair = await ReplicatedPair.create(flavor, {
      attach: false,
      source: { arguments: ['--binlog-stmt-cache-size=1048576'] },
    })
    await pair.held()
    const sql = await pair.sql()
    if (flavor === 'mariadb') await sql.query("INSTALL SONAME 'ha_blackhole'")
    await sql.query('CREATE DATABASE big; CREATE TABLE big.t (v LONGBLOB) ENGINE = BLACKHOLE')
  })
  afterAll(() => pair?.stop())

  async function expectSmall(): Promise<void> {
    for (const site of ['production', 'dr'] as const) {
      const bytes = await processBytes(pair.pair.pid(site), 'VmHWM')
      console.log(`${flavor} ${site}: at most ${(bytes / 1e6).toFixed(0)} MB resident`)
      expect(bytes).toBeLessThan(MEMORY_BYTES_MAX)
    }
  }

  test('reaches the spool with both gateways below 200 MB', async () => {
    const sql = await pair.sql()
    await sql.query(
      `INSERT INTO big.t WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n
         WHERE i < ${ROWS}) SELECT REPEAT('r', ${ROW_BYTES}) FROM n`,
    )
    const report = await pair.compareSpool(120)
    expect(report).toMatchObject({ identical: true, failures: [] })
    expect(report.bytes).toBeGreaterThan(ROWS * ROW_BYTES)
    await expectSmall()
  })

  test('is served by the relay with the gateway of the copy below 200 MB', async () => {
    const { binlogTool } = await findServerBinaries(flavor)
    const [command = '', ...leading] = binlogTool
    const copy = join(pair.servers.directory, 'copy-')
    const paths = await pair.spoolFiles()
    const sizes = await Promise.all(paths.map(async (file) => (await stat(file)).size))
    const path = paths[sizes.indexOf(Math.max(...sizes))] ?? ''
    expect(Math.max(...sizes)).toBeGreaterThan(ROWS * ROW_BYTES)
    const name = path.slice(path.lastIndexOf('/') + 1)
    await run(command, [
      ...leading,
      '--no-defaults',
      '--read-from-remote-server',
      '--host=127.0.0.1',
      `--port=${pair.pair.relayPort}`,
      '--user=replica',
      `--password=${pair.pair.relayPassword}`,
      flavor === 'mysql' ? '--ssl-mode=REQUIRED' : '--ssl',
      '--raw',
      `--result-file=${copy}`,
      name,
    ])
    await run('cmp', [path, `${copy}${name}`])
    await rm(`${copy}${name}`)
    await expectSmall()
  })
})
