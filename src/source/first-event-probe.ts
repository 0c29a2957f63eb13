import { ByteReader } from '../base/cursor.ts'
import { LandbridgeError } from '../base/errors.ts'
import { BINLOG_MAGIC } from '../binlog/event-type.ts'
import type { DumpTarget } from './socket-pump.ts'

const TIMESTAMP_BYTES = 4

/** Takes of a dump from a file's start no more than the time of its first event, then ends it. */
export class FirstEventProbe implements DumpTarget {
  /** What the dump ends with once `timestamp` is known. */
  readonly found = new LandbridgeError('ERR_SOURCE_FILE', 'the first event is known')
  readonly hasRoom = true
  #head: Buffer = Buffer.alloc(0)

  /** Seconds since 1970. */
  get timestamp(): number {
    return new ByteReader(this.#head.subarray(BINLOG_MAGIC.length)).u32()
  }

  accepted(): void {}

  file(): void {}

  bytes(chunk: Buffer, start: number, end: number): void {
    this.#head = Buffer.concat([this.#head, chunk.subarray(start, end)])
    if (this.#head.length >= BINLOG_MAGIC.length + TIMESTAMP_BYTES) throw this.found
  }

  chunkEnd(): void {}

  async room(): Promise<void> {}
}
