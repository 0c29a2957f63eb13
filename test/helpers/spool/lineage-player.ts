import { codeOf } from '../../../src/base/errors.ts'
import type { Random } from '../../../src/lab/load/workload-statements.ts'
import type { HeldPoint } from '../../../src/spool/spool-file.ts'
import type { Lineage, LineageFile } from './recorded-lineage.ts'
import { epochBeginning, type SpoolFixture } from './spool-fixture.ts'

/** How far the lineage was acknowledged: all files before, and so much of this one. */
export interface AckedPoint {
  readonly file: number
  readonly bytes: number
}

const PIECE_BYTES_MAX = 700
/** Turns of the event loop between two pieces: some disk calls begin, few end. */
const TURNS_MAX = 12

/**
 * Sends a lineage to a spool as a sender would: from where it says that it ends. Pieces are of any
 * size; mostly several are under way at once, at whatever the spool does meanwhile.
 */
export class LineagePlayer {
  readonly #lineage: Lineage
  readonly #fixture: SpoolFixture
  readonly #random: Random
  /** Called for what a resume says is held, and for each acknowledgement. */
  onAcked: (point: AckedPoint) => void = () => undefined
  /** Called before the file at this place is sent. */
  onFile: (index: number) => Promise<void> = async () => undefined
  #acked: AckedPoint = { file: 0, bytes: 0 }
  #sent: AckedPoint[] = []
  #sentBytes = 0
  #ackedBytes = 0
  #brokenBefore = 0

  constructor(lineage: Lineage, fixture: SpoolFixture, random: Random) {
    this.#lineage = lineage
    this.#fixture = fixture
    this.#random = random
    fixture.onSynced = (bytes) => this.#synced(bytes)
  }

  /** One session, to the end of the lineage. False when a failure of the disk ended it before. */
  async play(): Promise<boolean> {
    this.#brokenBefore = this.#fixture.broken.length
    try {
      const held = await this.#rewound()
      let { file, bytes } = this.#startAfter(held)
      for (; file < this.#lineage.files.length && !this.#isBroken; file += 1, bytes = 0) {
        await this.#sendFile(file, bytes)
      }
    } catch (error) {
      // What the link would see: the receiver's failure ends the session.
      if (codeOf(error) === 'ERR_UNEXPECTED') throw error
      return false
    }
    return !this.#isBroken
  }

  get #isBroken(): boolean {
    return this.#fixture.broken.length > this.#brokenBefore
  }

  /** What the spool says that it holds counts as acknowledged: the source may let go of it. */
  async #rewound(): Promise<HeldPoint | null> {
    const rewinding = this.#fixture.writer.rewind()
    let isOver = false
    const over = (): void => {
      isOver = true
    }
    rewinding.then(over, over)
    await this.#until(() => isOver)
    this.#sent = []
    this.#sentBytes = 0
    this.#ackedBytes = 0
    return await rewinding
  }

  #startAfter(held: HeldPoint | null): AckedPoint {
    const { files } = this.#lineage
    if (held === null) {
      this.#acked = { file: 0, bytes: 0 }
      return this.#acked
    }
    const file = files.findIndex(({ epoch, name }) => epoch === held.epoch && name === held.file)
    this.#acked = { file, bytes: held.offset }
    this.onAcked(this.#acked)
    const isWhole = files[file]?.bytes.length === held.offset
    return isWhole ? { file: file + 1, bytes: 0 } : this.#acked
  }

  async #sendFile(index: number, from: number): Promise<void> {
    const { writer, spool, store } = this.#fixture
    const file = this.#lineage.files[index]
    if (file === undefined) throw new TypeError('no such file')
    await this.onFile(index)
    if (spool.epoch?.epoch !== file.epoch) {
      // A new epoch begins with a new dump, which begins with a rewind.
      await this.#settled()
      await this.#rewound()
      await this.#beginEpoch(file)
    }
    writer.beginFile(file.name, from)
    for (let at = from; at < file.bytes.length && !this.#isBroken; ) {
      const end = Math.min(file.bytes.length, at + 1 + Math.floor(this.#random() * PIECE_BYTES_MAX))
      this.#sent.push({ file: index, bytes: end })
      this.#fixture.append(at, file.bytes.subarray(at, end))
      this.#sentBytes += end - at
      at = end
      await this.#pause(at < file.bytes.length)
      // As every minute in the field.
      if (this.#random() < 0.15) await store.applyRetention()
    }
    if (this.#lineage.files[index + 1]?.epoch !== file.epoch) await this.#settled()
  }

  /** Mostly it lets the spool do something, and goes on before that is done. */
  async #pause(maySettle: boolean): Promise<void> {
    const chance = this.#random()
    // The file after it begins behind bytes that are still under way.
    if (chance < 0.15 && maySettle) return await this.#settled()
    if (chance > 0.85) return
    for (let turns = Math.floor(this.#random() * TURNS_MAX); turns > 0; turns -= 1) {
      await this.#fixture.turn()
    }
  }

  async #beginEpoch(file: LineageFile): Promise<void> {
    const source = this.#lineage.sources[file.epoch - 1]
    if (source === undefined) throw new TypeError('no such source')
    await this.#fixture.store.beginEpoch(
      epochBeginning(source, 'the source is another one', file.gtidsBefore),
    )
  }

  /** All that was sent is acknowledged, or never will be. */
  async #settled(): Promise<void> {
    await this.#until(() => this.#ackedBytes === this.#sentBytes || this.#isBroken)
  }

  /** A disk in memory needs no time, only turns; a full one is waited for by the clock. */
  async #until(reached: () => boolean): Promise<void> {
    for (let turns = 0; !reached(); turns += 1) {
      if (turns > 20_000) throw new Error(`not reached: ${reached}`)
      await this.#fixture.turn()
    }
  }

  #synced(bytes: number): void {
    this.#ackedBytes += bytes
    let left = bytes
    // Acknowledged in order, piece by piece or several at once.
    while (left > 0) {
      const piece = this.#sent.shift()
      if (piece === undefined) throw new Error('more was acknowledged than was sent')
      const before = this.#acked.file === piece.file ? this.#acked.bytes : 0
      left -= piece.bytes - before
      this.#acked = piece
    }
    this.onAcked(this.#acked)
  }
}
