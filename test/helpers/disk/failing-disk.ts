import { statSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Disk } from '../../../src/base/disk.ts'
import {
  epochBeginning,
  epochSource,
  SpoolFixture,
  type SpoolFixtureOptions,
} from '../spool/spool-fixture.ts'
import { systemError } from './memory-disk.ts'
import { tailDisk } from './tail-disk.ts'

type Call = 'writev' | 'datasync'

/** The real disk, with a chance to do something else before each call. */
export class FailingDisk {
  readonly calls: string[] = []
  /** May throw, wait, or return how many bytes to take instead of all. */
  before: (call: Call, count: number) => Promise<number | undefined> | number | undefined = () =>
    undefined
  #count = 0

  readonly disk: Disk = tailDisk({
    writev: async (file, buffers, position) => {
      const limit = await this.#enter('writev')
      const bytes = Buffer.concat(buffers)
      return await file.writev([limit === undefined ? bytes : bytes.subarray(0, limit)], position)
    },
    datasync: async (file) => {
      await this.#enter('datasync')
      await file.datasync()
    },
  })

  async #enter(call: Call): Promise<number | undefined> {
    this.#count += 1
    this.calls.push(call)
    return await this.before(call, this.#count)
  }
}

export function diskError(code: string): Error {
  return systemError(code, 'write', 'a binlog file')
}

export function storedBytes(path: string): number {
  return statSync(join(path, '000001', 'binlog.000001')).size
}

export interface HeldSync {
  readonly isHeld: Promise<void>
  goOn(): void
}

/** The next sync waits until `goOn`, then succeeds or fails with `code`. */
export function holdNextSync(disk: FailingDisk, code?: string): HeldSync {
  const held = Promise.withResolvers<void>()
  const going = Promise.withResolvers<void>()
  disk.before = async (call) => {
    if (call !== 'datasync') return undefined
    disk.before = () => undefined
    held.resolve()
    await going.promise
    if (code !== undefined) throw diskError(code)
    return undefined
  }
  return { isHeld: held.promise, goOn: going.resolve }
}

/** A spool in `path` that is about to get the first byte of binlog.000001. */
export async function begunSpool(
  path: string,
  disk: FailingDisk,
  options: Omit<SpoolFixtureOptions, 'disk'> = {},
): Promise<SpoolFixture> {
  const fixture = await SpoolFixture.open(path, { ...options, disk: disk.disk })
  await fixture.writer.rewind()
  await fixture.store.beginEpoch(epochBeginning(epochSource('mysql'), 'first start'))
  fixture.writer.beginFile('binlog.000001', 0)
  return fixture
}

export async function stored(path: string, name = 'binlog.000001'): Promise<Buffer> {
  return await readFile(join(path, '000001', name))
}
