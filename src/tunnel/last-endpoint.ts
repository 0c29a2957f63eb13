import { mkdir, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { ignoreMissing, replaceFile } from '../base/atomic-file.ts'
import { PRIVATE_FOLDER_MODE } from '../base/private-folder.ts'
import { parseEndpoint } from './uapi.ts'

/**
 * Where the peer was last heard from, kept on disk. It is what a restarted gateway starts with when
 * the peer has no endpoint in its file or its name cannot be resolved just now.
 */
export class LastEndpoint {
  readonly #path: string
  #saved: string | null = null

  constructor(path: string) {
    this.#path = path
  }

  async load(): Promise<string | null> {
    const text = (await readFile(this.#path, 'utf8').catch(ignoreMissing))?.trim() ?? ''
    return parseEndpoint(text) === null ? null : text
  }

  /** Called with every reading; writes only what is new. Rejects with the system's error. */
  async save(endpoint: string | null): Promise<void> {
    if (endpoint === null) return
    this.#saved ??= await this.load()
    if (endpoint === this.#saved) return
    await mkdir(dirname(this.#path), { recursive: true, mode: PRIVATE_FOLDER_MODE })
    await replaceFile(this.#path, `${endpoint}\n`)
    this.#saved = endpoint
  }
}
