import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { checkSpools } from '../../../src/cli/check/check-spool.ts'
import type { GatewayConfig } from '../../../src/gateway/config/gateway-config.ts'
import { recordedFile } from '../../helpers/fixtures.ts'
import { CopyHalfFixture } from '../../helpers/spool/copy-half-fixture.ts'
import {
  epochBeginning,
  epochSource,
  namesIn,
  SpoolFixture,
  temporaryFolder,
} from '../../helpers/spool/spool-fixture.ts'

/** A spool with a byte, of which `path`-data knows. */
async function knownSpool(path: string): Promise<void> {
  await storeOne(path)
  await using fixture = new CopyHalfFixture(path)
  await fixture.untilProblem(undefined)
}

async function storeOne(path: string): Promise<void> {
  await using fixture = await SpoolFixture.open(path)
  await fixture.clock.advance(1_000)
  await fixture.writer.rewind()
  await fixture.store.beginEpoch(epochBeginning(epochSource('mysql'), 'first start'))
  fixture.writer.beginFile('binlog.000001', 0)
  await fixture.write(0, recordedFile('mysql', 1))
}

describe('a spool that is not where it was', () => {
  test('is not begun anew, and goes on by itself when it is back', async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'spool')
    await knownSpool(path)
    await rename(path, join(folder.path, 'away'))
    await using fixture = new CopyHalfFixture(path)
    await fixture.untilProblem('ERR_SPOOL_ABSENT')
    expect(fixture.stream.problems()).toMatchObject([
      {
        severity: 'blocked',
        where: 'spool:main',
        message: expect.stringContaining('but a spool was there'),
        remedy: expect.stringContaining(fixture.memoryPath),
      },
    ])
    const config = {
      dataDir: `${path}-data`,
      site: 'azure',
      streams: [{ name: 'main', origin: 'ec2', spool: { directory: path } }],
    }
    expect(await checkSpools(config as unknown as GatewayConfig)).toMatchObject([
      { severity: 'error', remedy: expect.stringContaining(fixture.memoryPath) },
    ])
    // Not even a folder is made on what may be a mount point.
    await expect(stat(path)).rejects.toMatchObject({ code: 'ENOENT' })
    await rename(join(folder.path, 'away'), path)
    await fixture.untilProblem(undefined)
    expect(fixture.stream.status().spool?.files).toBe(1)
    expect(await checkSpools(config as unknown as GatewayConfig)).toMatchObject([
      { severity: 'ok' },
    ])
  })

  test('is missed while the gateway runs and nothing comes, and found again', async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'spool')
    await knownSpool(path)
    await using fixture = new CopyHalfFixture(path)
    await fixture.untilProblem(undefined)
    await rename(path, join(folder.path, 'away'))
    await mkdir(path)
    await fixture.untilProblem('ERR_SPOOL_FENCED')
    expect(await namesIn(path)).toEqual([])
    await rm(path, { recursive: true })
    await rename(join(folder.path, 'away'), path)
    await fixture.untilProblem(undefined)
  })

  test('is begun anew once a person has removed what remembers it', async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'spool')
    await knownSpool(path)
    await rm(path, { recursive: true })
    await mkdir(path)
    await using fixture = new CopyHalfFixture(path)
    await fixture.untilProblem('ERR_SPOOL_ABSENT')
    expect(await namesIn(path)).toEqual([])
    await rm(fixture.memoryPath)
    await fixture.untilProblem(undefined)
    expect(fixture.stream.status().spool?.files).toBe(0)
  })

  test('is not taken for another one that is in its place', async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'spool')
    await knownSpool(path)
    const memory = `${path}-data/spool-main.json`
    const known = JSON.parse(await readFile(memory, 'utf8'))
    for (const other of [
      { ...known, startedAtMs: known.startedAtMs - 1 },
      { ...known, epoch: known.epoch + 1 },
    ]) {
      await writeFile(memory, JSON.stringify(other))
      await using fixture = new CopyHalfFixture(path)
      await fixture.untilProblem('ERR_SPOOL_ABSENT')
      expect(fixture.stream.problems()[0]?.message).toContain('holds another spool')
    }
    await rm(memory)
    {
      await using fixture = new CopyHalfFixture(path)
      await fixture.untilProblem(undefined)
    }
    expect(JSON.parse(await readFile(memory, 'utf8'))).toEqual(known)
  })

  test('is missed also where what remembers it is damaged', async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'spool')
    await knownSpool(path)
    await writeFile(`${path}-data/spool-main.json`, '{"format":1,')
    {
      await using fixture = new CopyHalfFixture(path)
      await fixture.untilProblem(undefined)
    }
    await writeFile(`${path}-data/spool-main.json`, '{"format":1,')
    await rm(path, { recursive: true })
    await using fixture = new CopyHalfFixture(path)
    await fixture.untilProblem('ERR_SPOOL_ABSENT')
  })

  test('is begun without a word where the configuration names another folder', async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'spool')
    await knownSpool(path)
    await using fixture = new CopyHalfFixture(join(folder.path, 'other'), {
      dataDir: `${path}-data`,
    })
    await fixture.untilProblem(undefined)
  })
})

test('a status names what is kept for whom, of every kind, also after a restart', async () => {
  await using folder = await temporaryFolder()
  const path = join(folder.path, 'spool')
  await knownSpool(path)
  const claims = (fixture: CopyHalfFixture) => fixture.stream.status().spool?.claims
  const nightly = { claim: 'backup:nightly', kind: 'backup', file: 'binlog.000001' }
  const replica = { claim: 'replica:id:2', kind: 'replica', file: 'binlog.000001' }
  {
    await using fixture = new CopyHalfFixture(path)
    await fixture.untilProblem(undefined)
    const { spool } = fixture.stream.spool
    const [file] = spool.files()
    if (file === undefined) throw new TypeError('there is a file')
    spool.claims.confirm('backup:nightly', file)
    spool.claims.confirm('replica:id:2', file)
    expect(claims(fixture)).toMatchObject([nightly, replica])
  }
  await using fixture = new CopyHalfFixture(path)
  await fixture.untilProblem(undefined)
  expect(claims(fixture)).toMatchObject([nightly, replica])
})
