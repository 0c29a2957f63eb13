import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { realDisk } from '../../../src/base/disk.ts'
import { silentLog } from '../../../src/base/log.ts'
import { parseGtidSet } from '../../../src/binlog/gtid-set.ts'
import { findStreamIdentity } from '../../../src/gateway/stream-identity.ts'
import { loadCatalog } from '../../../src/spool/catalog-recovery.ts'
import { listClosedFiles } from '../../../src/spool/closed-files.ts'
import { SpoolCatalog } from '../../../src/spool/spool-catalog.ts'
import { SpoolClaims } from '../../../src/spool/spool-claims.ts'
import { SpoolMemory } from '../../../src/spool/spool-memory.ts'
import { refuseAbsent } from '../../../src/spool/spool-presence.ts'
import { LastEndpoints } from '../../../src/tunnel/last-endpoints.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { recordedFacts, recordedFile } from '../../helpers/fixtures.ts'
import { epochBeginning, epochSource, SpoolFixture } from '../../helpers/spool/spool-fixture.ts'
import { attemptAsync } from '../engine/contract.ts'
import type { FuzzTarget } from '../engine/target.ts'
import { takeFlags, withFlags } from '../input/flags.ts'

const IDENTITY = {
  sourceServerId: 3_000_000_001,
  replicaUuid: '11111111-2222-4333-8444-555555555555',
  relayServerId: 3_000_000_002,
  relayUuid: '11111111-2222-4333-8444-666666666666',
}
const REPLICAS = {
  'id:7': { ordinal: 2, epoch: 1, atMs: 4 },
  'id:8': { ordinal: null, epoch: 1, atMs: 3 },
}
const PINS = { format: 3, savedAtMs: 5, forgotten: null, replicas: REPLICAS }

/** A spool of two files of each flavour, as a gateway that stopped in good order leaves it. */
async function buildSpool(directory: string): Promise<void> {
  for (const flavor of ['mysql', 'mariadb'] as const) {
    const folder = join(directory, flavor)
    await using fixture = await SpoolFixture.open(folder)
    await fixture.writer.rewind()
    await fixture.store.beginEpoch(epochBeginning(epochSource(flavor), 'first start'))
    for (const n of [1, 2] as const) {
      fixture.writer.beginFile(`binlog.00000${n}`, 0)
      await fixture.write(0, recordedFile(flavor, n))
    }
    assert.equal(fixture.spool.gtids(), recordedFacts(flavor).end)
  }
  for (const flavor of ['mysql', 'mariadb']) {
    await writeFile(join(directory, flavor, 'replicas.json'), JSON.stringify(PINS))
    await writeFile(join(directory, flavor, 'identity-main.json'), JSON.stringify(IDENTITY))
    const memory = { format: 1, directory: join(directory, flavor), epoch: 1, startedAtMs: 7 }
    await writeFile(join(directory, flavor, 'spool-main.json'), JSON.stringify(memory))
    await writeFile(
      join(directory, flavor, 'endpoint'),
      'PEER=\t198.51.100.2:51820\nTHIRD=\t[2001:db8::3]:51820\n',
    )
    await rm(join(directory, flavor, 'LOCK'), { force: true })
  }
}

interface StoredText {
  readonly path: string
  readonly content: Buffer
}

async function readTree(directory: string): Promise<StoredText[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  const paths = entries.filter((one) => one.isFile()).map((one) => join(one.parentPath, one.name))
  return await Promise.all(
    paths.sort().map(async (path) => ({
      path: relative(directory, path),
      content: await readFile(path),
    })),
  )
}

class RecordFolder {
  readonly #directory: string
  readonly #tree: readonly StoredText[]
  /** Files that hold text: one of them is the input. */
  readonly records: readonly StoredText[]

  constructor(directory: string, tree: readonly StoredText[]) {
    this.#directory = directory
    this.#tree = tree
    this.records = tree.filter(({ path }) => !/\d$/.test(path))
  }

  async run(input: Buffer): Promise<void> {
    const { flags, bytes } = takeFlags(input)
    const record = this.records[flags % this.records.length]
    assert(record !== undefined)
    await this.#restore()
    await writeFile(join(this.#directory, record.path), bytes)
    await this.#load(record.path.startsWith('mysql') ? 'mysql' : 'mariadb')
  }

  /** A start may have cut, removed or rewritten any of them. */
  async #restore(): Promise<void> {
    for (const { path, content } of this.#tree) {
      const full = join(this.#directory, path)
      const size = await stat(full).then(
        (found) => found.size,
        () => -1,
      )
      const isRecord = this.records.some((one) => one.path === path)
      if (size === content.length && !isRecord) continue
      await mkdir(dirname(full), { recursive: true })
      await writeFile(full, content)
    }
  }

  async #load(flavor: 'mysql' | 'mariadb'): Promise<void> {
    const folder = join(this.#directory, flavor)
    const { signal } = new AbortController()
    await attemptAsync(() => listClosedFiles(folder))
    const loaded = await attemptAsync(() =>
      loadCatalog({ directory: folder, disk: realDisk }, signal),
    )
    if ('value' in loaded && loaded.value.gtids !== null) {
      parseGtidSet(loaded.value.gtids.flavor, loaded.value.gtids.toString())
      const again = await loadCatalog({ directory: folder, disk: realDisk }, signal)
      assert.equal(again.droppedBytes, 0)
      assert.equal(again.gtids?.toString(), loaded.value.gtids.toString())
    }
    const path = join(folder, 'replicas.json')
    const claims = new SpoolClaims({
      catalog: () => SpoolCatalog.empty(),
      path,
      clock: new FakeClock(),
      disk: realDisk,
      log: silentLog,
      ageMsMax: 1_000_000,
    })
    await claims.load(false)
    const neededFrom = claims.neededFrom()
    assert(claims.list().every(({ ordinal, ageMs }) => ordinal >= neededFrom && ageMs >= 0))
    claims.expire()
    await claims.close()
    await attemptAsync(() => findStreamIdentity(folder, 'main'))
    const spool = { directory: folder, disk: realDisk, heldEpoch: () => null }
    const memory = new SpoolMemory({ dataDir: folder, stream: 'main', spool, log: silentLog })
    const known = await memory.recall()
    if (known !== null) await attemptAsync(() => refuseAbsent(spool, known))
    await new LastEndpoints(join(folder, 'endpoint'), ['PEER=', 'THIRD=']).load()
  }
}

export const createTarget = async (): Promise<FuzzTarget> => {
  const directory = await mkdtemp(join(tmpdir(), 'landbridge-fuzz-'))
  await buildSpool(directory)
  const folder = new RecordFolder(directory, await readTree(directory))
  return {
    inputBytesMax: 1200,
    seeds: folder.records.map(({ content }, flags) => withFlags(flags, content)),
    tokens: [
      '"mysql"',
      '"mariadb"',
      'null',
      'true',
      'false',
      '{}',
      '1e999',
      '"closed":true',
      '__proto__',
    ],
    run: (input) => folder.run(input),
    close: async () => await rm(directory, { recursive: true, force: true }),
  }
}
