import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { cp, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { RowDataPacket } from 'mysql2/promise'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { compareSpool } from '../../src/lab/compare/compare-spool.ts'
import { compareTables } from '../../src/lab/compare/compare-tables.ts'
import { flipByte } from '../../src/lab/demo/flip-byte.ts'
import { killLabProcess, startLabProcess } from '../../src/lab/lab-control.ts'
import { downLab } from '../../src/lab/lab-down.ts'
import { labPaths } from '../../src/lab/lab-paths.ts'
import { labShape } from '../../src/lab/lab-shape.ts'
import {
  databaseOf,
  type LabState,
  listLabs,
  requireState,
  spoolOf,
  updateState,
  writeState,
} from '../../src/lab/lab-state.ts'
import { upLab } from '../../src/lab/lab-up.ts'
import { Workload } from '../../src/lab/load/workload.ts'
import { withRoot } from '../../src/lab/servers/lab-databases.ts'
import { pidStartTicks } from '../../src/lab/servers/process-identity.ts'
import { describeFlavors } from '../helpers/needs.ts'

const signal = new AbortController().signal
const LANDBRIDGE = fileURLToPath(new URL('../../src/cli/landbridge.mjs', import.meta.url))
const GATEWAY = { name: 'x', config: 'x', adminSocket: 'x', interface: 'x' } as const
const GATEWAYS = [
  { ...GATEWAY, site: 'ec2' },
  { ...GATEWAY, site: 'azure' },
] as const

describeFlavors('a lab of %s', { needs: ['root'] }, (flavor) => {
  const paths = labPaths(`c-${randomBytes(4).toString('hex')}`)
  let state: LabState
  let copy = ''

  const shape = labShape({ sites: 2, streams: 1 })
  const options = {
    paths,
    shape,
    flavor,
    wan: {},
    gateways: false,
    progress: () => undefined,
    signal,
  }
  const source = () => databaseOf(state, 'main', 'ec2')
  const replica = () => databaseOf(state, 'main', 'azure')
  const sockets = () => ({
    flavor,
    sourceSocket: source().socket,
    replicaSocket: replica().socket,
    waitSeconds: 30,
    signal,
  })

  beforeAll(async () => {
    copy = await mkdtemp(join(tmpdir(), 'landbridge-spool-'))
    const result = await upLab(options)
    state = result.state
    expect(result.already).toBe(false)
  })

  afterAll(async () => {
    await downLab(paths)
    await rm(copy, { recursive: true, force: true })
    expect(await listLabs()).not.toContain(paths.name)
  })

  test('is not taken for one of another shape', async () => {
    const wish = upLab({ ...options, shape: labShape({ sites: 3, streams: 1 }) })
    await expect(wish).rejects.toThrow(/is up with ec2, azure and main from ec2$/)
  })

  test('is left alone when another version made it, or another process owns it', async () => {
    const now = await requireState(paths)
    const pid = process.ppid
    const owner = { pid, pidStartTicks: pidStartTicks(pid) ?? '' }
    await writeState(paths, { ...now, owner, schema: 1 as never })
    await expect(upLab(options)).rejects.toThrow(/^another version of landbridge made the lab/)
    await expect(upLab({ ...options, owned: true })).rejects.toMatchObject({ code: 'ERR_LAB_BUSY' })
    await writeState(paths, now)
  })

  test('is left as it is when it is up', async () => {
    const again = await upLab(options)
    expect(again.already).toBe(true)
    expect(again.state.processes['ec2-db']?.pid).toBe(state.processes['ec2-db']?.pid)
  })

  test('counts the commits that its load was told of; the replica equals the source', async () => {
    const committed: number[] = []
    const workload = new Workload({
      socket: source().socket,
      flavor,
      clock: systemClock,
      writers: 4,
      transactionsPerSecond: 300,
      secondsMax: 30,
      transactionsMax: 400,
      definitionSeconds: 0.5,
      seed: 5,
      onCommit: (id) => committed.push(id),
    })
    await workload.run(signal)
    expect(workload.status()).toMatchObject({ committed: 400, unknown: 0 })
    expect(new Set(committed).size).toBe(400)
    const report = await compareTables(sockets())
    expect(report.failures).toEqual([])
    expect(report.rows).toBeGreaterThan(400)
  })

  test('a spool is identical as long as every byte is; the first other one is named', async () => {
    const spool = {
      ...sockets(),
      sourceBinlogDirectory: source().binlogDirectory,
      spoolFiles: async () => copy,
      waitSeconds: 5,
    }
    await withRoot(source(), (connection) => connection.query('FLUSH BINARY LOGS'))
    await cp(spool.sourceBinlogDirectory, copy, { recursive: true })
    const behind = await compareSpool({ ...spool, waitSeconds: 0.2 })
    expect(behind.failures.join()).toMatch(/has not caught up.* has \d+ of \d+ bytes/)
    await cp(spool.sourceBinlogDirectory, copy, { recursive: true })
    let offset = 0
    let broken = ''
    const report = await compareSpool({
      ...spool,
      beforeCompare: async (folder, names) => {
        // The comparison has closed one more file: bring that along first.
        await cp(spool.sourceBinlogDirectory, copy, { recursive: true })
        broken = names[0] ?? ''
        offset = await flipByte(join(folder, broken))
      },
      spoolFiles: async () => {
        await cp(spool.sourceBinlogDirectory, copy, { recursive: true })
        return copy
      },
    })
    expect(report.identical).toBe(false)
    expect(report.failures).toHaveLength(1)
    expect(report.failures[0]).toContain(`${broken}: differs at offset ${offset}`)
  })

  test('files that retention removed are named as removed; nobody else may lack them', async () => {
    const spool = {
      ...sockets(),
      sourceBinlogDirectory: source().binlogDirectory,
      waitSeconds: 0.2,
      spoolFiles: async () => {
        await cp(spool.sourceBinlogDirectory, copy, { recursive: true })
        await rm(join(copy, 'binlog.000001'), { force: true })
        return copy
      },
    }
    await writeFile(join(copy, 'epoch.json'), '{"epoch":1}')
    const report = await compareSpool({ ...spool, allowsOlder: true })
    expect(report).toMatchObject({
      identical: true,
      failures: [],
      older: ['binlog.000001'],
      olderReason: 'removed from the spool by its retention',
    })
    expect(report.files).toBeGreaterThan(0)
    await writeFile(join(copy, 'epoch.json'), '{"epoch":2}')
    const anew = await compareSpool({ ...spool, allowsOlder: true })
    expect(anew).toMatchObject({ identical: true, older: ['binlog.000001'] })
    expect(anew.olderReason).toMatch(/^from before the newest epoch, or removed/)
    expect((await compareSpool(spool)).failures.join()).toContain('binlog.000001 has 0 of')
  })

  test('a table that nobody can read is one line; LOAD DATA INFILE is allowed', async () => {
    const rows = join(copy, 'rows.csv')
    await writeFile(rows, '1\n2\n3\n')
    await withRoot(source(), async (connection) => {
      for (const statement of [
        'CREATE DATABASE broken',
        'CREATE TABLE broken.a (i INT) ENGINE=MyISAM',
        'CREATE TABLE broken.m (i INT) ENGINE=MERGE UNION=(broken.a)',
        'CREATE TABLE broken.loaded (i INT PRIMARY KEY)',
        `LOAD DATA INFILE '${rows}' INTO TABLE broken.loaded`,
        'DROP TABLE broken.a',
      ]) {
        await connection.query(statement)
      }
    })
    const report = await compareTables(sockets())
    expect(report).toMatchObject({ equal: false, unproven: 1 })
    expect(report.failures).toEqual([
      expect.stringMatching(/^table `broken`\.`m` cannot be compared: the source says: /),
    ])
    expect(report.rows).toBeGreaterThan(400)
    await withRoot(source(), async (connection) => {
      const [[said]] = await connection.query<RowDataPacket[][]>('SELECT @@secure_file_priv AS at')
      expect(said?.at).toBe(flavor === 'mysql' ? '' : '/')
      await connection.query('DROP DATABASE broken')
    })
  })

  test('a row that only one side has is found, with the name of its table', async () => {
    await withRoot(replica(), async (connection) => {
      const variable = flavor === 'mysql' ? 'super_read_only' : 'read_only'
      await connection.query(`SET GLOBAL ${variable} = OFF`)
      await connection.query('SET SESSION sql_log_bin = 0')
      await connection.query('DELETE FROM landbridge_load.ledger WHERE id = 17')
    })
    const report = await compareTables(sockets())
    expect(report.equal).toBe(false)
    expect(report.failures).toEqual([
      'table `landbridge_load`.`ledger` has 400 rows at the source, 399 at the replica',
    ])
  })

  test('a killed database is started again with its data', async () => {
    const before = state.processes['ec2-db']?.pid
    expect(await killLabProcess(paths, 'ec2-db', 'SIGKILL')).toEqual({ pid: before, ended: true })
    const { record, already } = await startLabProcess(paths, 'ec2-db')
    expect(already).toBe(false)
    expect(record.pid).not.toBe(before)
    const [rows] = await withRoot(source(), (connection) =>
      connection.query('SELECT COUNT(*) AS held FROM landbridge_load.ledger'),
    )
    expect(rows).toEqual([{ held: 400 }])
  })

  test('the command tells what it found of the spool, whatever is with the replica', async () => {
    const epoch = join(spoolOf(state, 'main', 'azure'), '000001')
    await mkdir(epoch, { recursive: true })
    await writeFile(join(epoch, 'epoch.json'), '{"epoch":1}')
    const binlogs = source().binlogDirectory
    const [first = '', ...others] = (await readdir(binlogs)).filter((name) => /\.\d+$/.test(name))
    for (const name of others) await symlink(join(binlogs, name), join(epoch, name))
    // The command looks at the state alone; there is nothing else of these gateways.
    await updateState(paths, (before) => ({ ...before, gateways: GATEWAYS }))
    await killLabProcess(paths, 'azure-db', 'SIGKILL')
    const argv = [LANDBRIDGE, 'lab', 'compare', '--name', paths.name, '--wait-seconds', '20']
    const { status, stdout } = spawnSync(process.execPath, argv, { encoding: 'utf8' })
    await updateState(paths, (before) => ({ ...before, gateways: [] }))
    expect(stdout).toContain('spool identical to source {"identical":true')
    expect(stdout).toContain(
      `1 file not compared, removed from the spool by its retention: ${first}`,
    )
    expect(stdout).toContain('NOT PROVEN replica equals source:\n  cannot be compared: ')
    expect(status).toBe(1)
  })
})
