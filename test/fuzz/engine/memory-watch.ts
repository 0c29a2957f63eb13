import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

const EVERY_EXECUTIONS = 16 * 1024
const EVERY_MS = 5_000
const GROWTH_BYTES_MAX = 64 * 1024 * 1024
/** By then everything that is made once has been made. */
const WARM_UP_CHECKS = 2
/** Buffers are given back some time after the collection that finds them unused. */
const CHECKS_OVER = 3

/** Notices when runs leave something behind: what is held after a collection must not grow. */
export class MemoryWatch {
  readonly #collect: () => void
  #checks = 0
  #nextExecutions = EVERY_EXECUTIONS
  #nextMs = EVERY_MS
  #firstBytes = 0
  #grownBytes = 0
  #over = 0

  constructor() {
    setFlagsFromString('--expose-gc')
    this.#collect = runInNewContext('gc')
  }

  /** The most that was held beyond what was held after warming up. */
  get grownBytes(): number {
    return this.#grownBytes
  }

  /** `corpusBytes` is the fuzzer's own and may grow. Throws when too much else did. */
  check(executions: number, elapsedMs: number, corpusBytes: number): void {
    if (executions < this.#nextExecutions && elapsedMs < this.#nextMs) return
    this.#nextExecutions = executions + EVERY_EXECUTIONS
    this.#nextMs = elapsedMs + EVERY_MS
    this.#collect()
    const { heapUsed, external } = process.memoryUsage()
    const heldBytes = heapUsed + external - corpusBytes
    this.#checks += 1
    if (this.#checks <= WARM_UP_CHECKS) this.#firstBytes = heldBytes
    const grownBytes = heldBytes - this.#firstBytes
    this.#grownBytes = Math.max(this.#grownBytes, grownBytes)
    this.#over = grownBytes > GROWTH_BYTES_MAX ? this.#over + 1 : 0
    if (this.#over >= CHECKS_OVER) {
      throw new Error(`memory grew by ${grownBytes} bytes in ${executions} executions`)
    }
  }
}
