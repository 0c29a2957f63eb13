const HEADER_BYTES = 8

/**
 * The input that a worker runs just now, where the main thread can read it: a worker that hangs or
 * dies can tell nobody any more.
 */
export class CurrentInput {
  readonly memory: SharedArrayBuffer
  readonly #head: Int32Array
  readonly #bytes: Buffer

  /** The worker passes the memory that the main thread made. */
  constructor(memory: SharedArrayBuffer | { readonly bytesMax: number }) {
    this.memory =
      memory instanceof SharedArrayBuffer
        ? memory
        : new SharedArrayBuffer(HEADER_BYTES + memory.bytesMax)
    this.#head = new Int32Array(this.memory, 0, 2)
    this.#bytes = Buffer.from(this.memory, HEADER_BYTES)
  }

  begin(input: Buffer): void {
    input.copy(this.#bytes)
    Atomics.store(this.#head, 1, Math.min(input.length, this.#bytes.length))
    Atomics.add(this.#head, 0, 1)
  }

  /** Changes with every `begin`. */
  get turn(): number {
    return Atomics.load(this.#head, 0)
  }

  read(): Buffer {
    return Buffer.from(this.#bytes.subarray(0, Atomics.load(this.#head, 1)))
  }
}
