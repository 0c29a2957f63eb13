import { SourceFiles } from '../progress/source-files.ts'
import type { Sample } from './messages.ts'

interface Sent {
  readonly isHeldBack: boolean
  readonly sentPlace: { readonly file: string; readonly offset: number } | null
  readonly unsentBytes: number
}

/**
 * How many bytes the throttle holds back: all between what was sent and the source's newest commit
 * as it was last heard of, at least what was read. 0 while it is not the throttle that they wait
 * for.
 */
export class WaitingBytes {
  readonly #files = new SourceFiles()
  #newest: { readonly file: string; readonly offset: number } | null = null

  sampled({ file, offset, files }: Sample): void {
    if (files !== undefined) this.#files.list(files)
    this.#newest = file === null || offset === null ? null : { file, offset }
  }

  of({ isHeldBack, sentPlace, unsentBytes }: Sent): number {
    if (!isHeldBack) return 0
    const known =
      sentPlace === null || this.#newest === null
        ? null
        : this.#files.bytesBetween(sentPlace, this.#newest)
    return Math.max(unsentBytes, known ?? 0)
  }
}
