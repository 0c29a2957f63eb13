import { dirname } from 'node:path'
import { createFolder, ignoreMissing, writeWhole } from '../base/atomic-file.ts'
import type { Disk, DiskFile } from '../base/disk.ts'
import { PRIVATE_FILE_MODE } from '../base/private-folder.ts'

export interface JournalFileOptions {
  /** The file that is written to; those before it are PATH.1, the newest, and so on. */
  readonly path: string
  readonly disk: Disk
  /** A file that is larger is put aside. */
  readonly fileBytesMax: number
  /** So many are kept, with the one that is written to. */
  readonly filesMax: number
}

/** Lines on a disk: added at the end, synced, and bounded by dropping the oldest file. */
export class JournalFile {
  readonly #options: JournalFileOptions
  #file: DiskFile | null = null
  /** Of whole, synced lines. */
  #bytes = 0
  /** Something may stand behind these. */
  #isTorn = false

  constructor(options: JournalFileOptions) {
    this.#options = options
  }

  /** The lines of the file that is written to, and of the one before it. A torn one is cut off. */
  async load(): Promise<{
    readonly earlier: readonly string[]
    readonly lines: readonly string[]
  }> {
    const { path, disk } = this.#options
    await createFolder(dirname(path), disk)
    const earlier = (await this.#text(`${path}.1`)) ?? ''
    const text = await this.#text(path)
    const whole = (text ?? '').slice(0, (text ?? '').lastIndexOf('\n') + 1)
    this.#bytes = Buffer.byteLength(whole)
    if (text !== null && whole.length < text.length) await disk.truncate(path, this.#bytes)
    return { earlier: linesOf(earlier), lines: linesOf(whole) }
  }

  /** After `load`. Settles when `text`, of whole lines, is synced. What failed is cut off. */
  async add(text: string): Promise<void> {
    const { fileBytesMax } = this.#options
    const bytes = Buffer.from(text)
    if (this.#bytes > 0 && this.#bytes + bytes.length > fileBytesMax) await this.#rotate()
    if (this.#isTorn) await this.#cut()
    const at = this.#bytes
    this.#isTorn = true
    try {
      this.#file ??= await this.#open(at)
      await writeWhole(this.#file, bytes, at)
      await this.#file.datasync()
      this.#bytes = at + bytes.length
      this.#isTorn = false
    } catch (error) {
      await this.close().catch(() => undefined)
      throw error
    }
  }

  /** Half a line, or a whole one that was not synced, must not stand before the next. */
  async #cut(): Promise<void> {
    const { path, disk } = this.#options
    await disk.truncate(path, this.#bytes).catch(ignoreMissing)
    this.#isTorn = false
  }

  /** Renames a file, so that the next line begins another. Suffix: empty, or `.1`. */
  async putAside(suffix: string, name: string): Promise<string> {
    const { path, disk } = this.#options
    await this.close()
    await disk.rename(`${path}${suffix}`, `${path}${suffix}.${name}`)
    if (suffix === '') this.#bytes = 0
    return `${path}${suffix}.${name}`
  }

  async close(): Promise<void> {
    const file = this.#file
    this.#file = null
    await file?.close()
  }

  async #open(at: number): Promise<DiskFile> {
    const { path, disk } = this.#options
    if (at > 0) return await disk.open(path, 'r+')
    const file = await disk.open(path, 'w', PRIVATE_FILE_MODE)
    await disk.syncDirectory(dirname(path))
    return file
  }

  async #rotate(): Promise<void> {
    const { path, disk, filesMax } = this.#options
    await this.close()
    for (let number = filesMax - 2; number >= 0; number -= 1) {
      const older = number === 0 ? path : `${path}.${number}`
      await disk.rename(older, `${path}.${number + 1}`).catch(ignoreMissing)
    }
    this.#bytes = 0
  }

  async #text(path: string): Promise<string | null> {
    return await this.#options.disk.readText(path).catch((error: unknown) => {
      ignoreMissing(error)
      return null
    })
  }
}

function linesOf(text: string): string[] {
  return text.split('\n').filter((line) => line !== '')
}
