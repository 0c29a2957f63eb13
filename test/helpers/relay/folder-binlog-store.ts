import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Flavor } from '../../../src/base/flavor.ts'
import type { LogFile, SourceIdentity } from '../../../src/binlog/log.ts'
import { PlainBinlogStore } from './plain-binlog-store.ts'

export const SOURCE_UUID = '3e11fa47-71ca-11e1-9e33-c80aa9429562'

/** A store whose files a test writes itself. */
export class FolderBinlogStore extends PlainBinlogStore {
  readonly directory: string
  readonly #identity: SourceIdentity
  readonly #sizes = new Map<number, number>()

  constructor(directory: string, flavor: Flavor) {
    super()
    this.directory = directory
    this.#identity = {
      flavor,
      serverVersion: flavor === 'mysql' ? '9.7.4' : '10.11.19-MariaDB-log',
      serverId: 1,
      serverUuid: flavor === 'mysql' ? SOURCE_UUID : null,
      gtidDomainId: 0,
    }
  }

  /** Adds a file, or replaces the newest one by a longer content; `end` defaults to its size. */
  async put(
    file: Pick<LogFile, 'ordinal' | 'name' | 'gtidsBefore'> & { readonly epoch?: number },
    content: Buffer,
    held: string,
    end = content.length,
  ): Promise<void> {
    const { ordinal } = file
    const path = join(this.directory, `${ordinal}-${file.name}`)
    await writeFile(path, content)
    this.#sizes.set(ordinal, content.length)
    this.replace({
      identity: this.#identity,
      files: [
        ...this.files().filter((other) => other.ordinal !== ordinal),
        { epoch: 1, ...file, path },
      ],
      sizes: this.#sizes,
      end: { ordinal, offset: end },
      gtids: held,
    })
  }
}
