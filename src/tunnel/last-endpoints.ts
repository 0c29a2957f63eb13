import { mkdir, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { ignoreMissing, replaceFile } from '../base/atomic-file.ts'
import { PRIVATE_FOLDER_MODE } from '../base/private-folder.ts'
import type { PeerEndpoints } from './tunnel-backend.ts'
import { parseEndpoint } from './uapi.ts'

/**
 * Where the peers were last heard from, kept on disk as `wg show endpoints` prints it. It is what a
 * restarted gateway starts with when a peer has no endpoint in its file or its name cannot be
 * resolved just now. Peers that are not asked for any more are forgotten.
 */
export class LastEndpoints {
  readonly #path: string
  readonly #publicKeys: readonly string[]
  #saved: PeerEndpoints | null = null

  constructor(path: string, publicKeys: readonly string[]) {
    this.#path = path
    this.#publicKeys = publicKeys
  }

  async load(): Promise<PeerEndpoints> {
    const text = (await readFile(this.#path, 'utf8').catch(ignoreMissing)) ?? ''
    const endpoints = new Map<string, string>()
    for (const line of text.split('\n')) {
      const words = line.trim().split('\t')
      // Versions that knew one peer noted its address alone.
      if (words.length === 1 && this.#publicKeys.length === 1) words.unshift(...this.#publicKeys)
      const [publicKey = '', endpoint = ''] = words
      const isKnown = this.#publicKeys.includes(publicKey)
      if (isKnown && parseEndpoint(endpoint) !== null) endpoints.set(publicKey, endpoint)
    }
    return endpoints
  }

  /** Called with every reading; writes only what is new. Rejects with the system's error. */
  async save(heard: PeerEndpoints): Promise<void> {
    this.#saved ??= await this.load()
    const saved = this.#saved
    if ([...heard].every(([publicKey, endpoint]) => saved.get(publicKey) === endpoint)) return
    const endpoints = new Map([...saved, ...heard])
    const lines = [...endpoints].map(([publicKey, endpoint]) => `${publicKey}\t${endpoint}\n`)
    await mkdir(dirname(this.#path), { recursive: true, mode: PRIVATE_FOLDER_MODE })
    await replaceFile(this.#path, lines.join(''))
    this.#saved = endpoints
  }
}
