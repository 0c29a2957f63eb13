import { compareBinlogNames } from '../binlog/binlog-name.ts'
import type { SourceSample } from './source-facts.ts'

/**
 * Whether the source stood further back than before: then it was reset, its places mean nothing,
 * and it gives GTIDs that are held to other transactions. Over once a new dump runs, which looks
 * at that and begins a new epoch.
 */
export class SourceRetreat {
  #wentBack = false
  #isStreaming = false

  get wentBack(): boolean {
    return this.#wentBack
  }

  /** `before`: where the source was in the sample before this one. */
  note(sample: SourceSample, before: Pick<SourceSample, 'file' | 'offset'> | null): void {
    const { isOfHeld = false, isSameServer = isOfHeld, isStreaming = isOfHeld } = sample
    const isNewDump = isStreaming && !this.#isStreaming
    this.#isStreaming = isStreaming
    const isStill = this.#wentBack && !isNewDump
    this.#wentBack = isSameServer && (isStill || isBack(sample, before))
  }

  clear(): void {
    this.#wentBack = false
  }
}

function isBack(
  { file, offset }: SourceSample,
  before: Pick<SourceSample, 'file' | 'offset'> | null,
): boolean {
  if (file === null || offset === null || !before?.file) return false
  const order = compareBinlogNames(file, before.file)
  return order === null || order < 0 || (order === 0 && offset < (before.offset ?? 0))
}
