import { compareBinlogNames } from '../binlog/binlog-name.ts'

export interface SourcePlace {
  readonly file: string
  readonly offset: number
}

/** Answers in a row, a second apart, for which an idle dump may differ from the source. */
const DIFFERENT_MAX = 3

/**
 * Notices that a dump waits where nothing will come. A source that is reset deletes its files and
 * does not tell the dumps that read them: those wait for ever, with heartbeats as if all were well.
 * But the source itself, asked beside the dump, says where it writes.
 */
export class DumpWatch {
  #newest: SourcePlace | null = null
  #dump: SourcePlace | null = null
  #different = 0
  /** It was asked for anew and still differs: another server answers us than sends the dump. */
  #isAsked = false

  /**
   * The source's newest place, and where a dump stands that has nothing more to send (null when it
   * has). True: the dump must be asked for anew.
   */
  observe(newest: SourcePlace, idle: SourcePlace | null): boolean {
    const before = this.#newest
    this.#newest = { file: newest.file, offset: newest.offset }
    const order = before === null ? null : comparePlaces(newest, before)
    const isSame = isAt(idle, this.#dump)
    this.#dump = idle
    const isThere = idle !== null && isAt(idle, newest)
    if (isThere) this.#isAsked = false
    this.#different = idle === null || isThere ? 0 : isSame ? this.#different + 1 : 1
    if (order !== null && order < 0) return true
    if (this.#isAsked || this.#different < DIFFERENT_MAX) return false
    this.#isAsked = true
    return true
  }
}

/** Negative when `a` is before `b`; null when they are not of one row of files. */
function comparePlaces(a: SourcePlace, b: SourcePlace): number | null {
  const order = compareBinlogNames(a.file, b.file)
  return order === 0 ? a.offset - b.offset : order
}

function isAt(a: SourcePlace | null, b: SourcePlace | null): boolean {
  return a?.file === b?.file && a?.offset === b?.offset
}
