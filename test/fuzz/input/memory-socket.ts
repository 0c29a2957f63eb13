import { Socket } from 'node:net'

/** A connection whose other end is the test: no file descriptor, no system call. */
export class MemorySocket extends Socket {
  readonly #written: Buffer[] = []

  override _read(): void {
    // Bytes are pushed by the test.
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error) => void): void {
    this.#written.push(Buffer.from(chunk))
    done()
  }

  override _final(done: (error?: Error) => void): void {
    done()
  }

  /** What the reader of this connection has answered so far. */
  written(): Buffer {
    return Buffer.concat(this.#written)
  }

  /** The other end says this, and then goes. */
  say(...pieces: readonly Buffer[]): void {
    for (const piece of pieces) if (piece.length > 0) this.push(piece)
  }

  hangUp(): void {
    this.push(null)
  }
}
