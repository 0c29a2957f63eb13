import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ignoreMissing, replaceFile } from '../base/atomic-file.ts'
import type { Secret } from '../base/secret.ts'
import { PUBLIC_MODE, writePublicFile, writeSecretFile } from '../keys/key-file.ts'
import type { Outcome, SetupFile } from './sites-plan.ts'

/** The folder with gateway/, peers/ and certs/, and what became of each file in it. */
export class SetupFolder {
  readonly #directory: string
  readonly #files: SetupFile[] = []

  constructor(directory: string) {
    this.#directory = directory
  }

  get files(): readonly SetupFile[] {
    return this.#files
  }

  at(path: string): string {
    return join(this.#directory, path)
  }

  async read(path: string): Promise<string | null> {
    return (await readFile(this.at(path), 'utf8').catch(ignoreMissing)) ?? null
  }

  /** An existing one is kept. */
  async secret(path: string, content: Secret): Promise<void> {
    const created = await writeSecretFile(this.at(path), content)
    this.note(path, created ? 'created' : 'kept')
  }

  /** An existing one is kept. */
  async public(path: string, content: string): Promise<void> {
    const created = await writePublicFile(this.at(path), content)
    this.note(path, created ? 'created' : 'kept')
  }

  /** Writes it anew where it says something else than `old`, which was read before. */
  async replace(path: string, old: string | null, content: string): Promise<void> {
    if (old !== content) await replaceFile(this.at(path), content, { mode: PUBLIC_MODE })
    this.note(path, old === null ? 'created' : old === content ? 'kept' : 'updated')
  }

  /** What was said of a file first stays. */
  note(path: string, outcome: Outcome): void {
    if (!this.#files.some((file) => file.path === path)) this.#files.push({ path, outcome })
  }
}
