/** Far above what any reader needs for an input of a few KiB, far below what would hurt. */
const BYTES_MAX = 4 * 1024 * 1024

/**
 * Notices when a reader asks for a large buffer, as one does that believes a length before it has
 * looked at how many bytes there are. A buffer that is never written to costs no time, so that
 * nothing else would notice.
 */
export class AllocationGuard {
  #largest = 0

  install(): void {
    const { alloc, allocUnsafe, allocUnsafeSlow } = Buffer
    Buffer.alloc = (size, ...fill) => alloc.call(Buffer, this.#noted(size), ...fill)
    Buffer.allocUnsafe = (size) => allocUnsafe.call(Buffer, this.#noted(size))
    Buffer.allocUnsafeSlow = (size) => allocUnsafeSlow.call(Buffer, this.#noted(size))
  }

  #noted(size: number): number {
    if (size > this.#largest) this.#largest = size
    return size
  }

  /** Throws when the run since the last call asked for too much. */
  check(): void {
    const largest = this.#largest
    this.#largest = 0
    if (largest > BYTES_MAX) throw new Error(`asked for a buffer of ${largest} bytes`)
  }
}
