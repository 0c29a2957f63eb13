import { mkdir, mkdtemp, open, rm, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { codeOf } from '../../../src/base/errors.ts'
import { runCommand } from '../../../src/lab/hosts/command.ts'

const DISK_BYTES = 8 * 1024 * 1024

/** An ext4 of its own with blocks of 4096 bytes, which a test can fill up. Needs root. */
export class SmallDisk implements AsyncDisposable {
  /** Where it is mounted. */
  readonly path: string
  readonly #directory: string

  private constructor(directory: string) {
    this.#directory = directory
    this.path = join(directory, 'disk')
  }

  /** `inodes`: how many there are in all; ext4 itself takes 11. */
  static async create({ inodes = 1024 }: { readonly inodes?: number } = {}): Promise<SmallDisk> {
    const disk = new SmallDisk(await mkdtemp(join(tmpdir(), 'lb-disk-')))
    const image = join(disk.#directory, 'image')
    const file = await open(image, 'w')
    await file.truncate(DISK_BYTES)
    await file.close()
    await mkdir(disk.path)
    const options = ['-q', '-F', '-m', '0', '-b', '4096', '-N', String(inodes)]
    await runCommand(['mkfs.ext4', ...options, image])
    await disk.mount()
    return disk
  }

  async mount(): Promise<void> {
    await runCommand(['mount', '-o', 'loop', join(this.#directory, 'image'), this.path])
  }

  /** Also while files are open: they stay, out of sight. */
  async unmount(): Promise<void> {
    await runCommand(['umount', '-l', this.path])
  }

  async free(): Promise<{ readonly bytes: number; readonly inodes: number }> {
    const { bavail, bsize, ffree } = await statfs(this.path)
    return { bytes: bavail * bsize, inodes: ffree }
  }

  /** Not a byte is left, by the system's own word. */
  async fillBytes(): Promise<void> {
    const file = await open(join(this.path, 'filler'), 'w')
    try {
      for (const size of [1024 * 1024, 4096]) await writeUntilFull(file, Buffer.alloc(size, 1))
      await file.sync()
    } finally {
      await file.close()
    }
  }

  async fillInodes(): Promise<void> {
    await mkdir(join(this.path, 'many'))
    for (let n = 0; (await this.free()).inodes > 0; n += 1) {
      await (await open(join(this.path, 'many', String(n)), 'w')).close()
    }
  }

  async empty(): Promise<void> {
    await rm(join(this.path, 'filler'), { force: true })
    await rm(join(this.path, 'many'), { recursive: true, force: true })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.unmount().catch(() => undefined)
    await rm(this.#directory, { recursive: true, force: true })
  }
}

async function writeUntilFull(
  file: Awaited<ReturnType<typeof open>>,
  bytes: Buffer,
): Promise<void> {
  for (;;) {
    try {
      await file.write(bytes)
    } catch (error) {
      if (codeOf(error) === 'ENOSPC') return
      throw error
    }
  }
}
