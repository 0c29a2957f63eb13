import type { AllocationGuard } from './allocation-guard.ts'
import { isAllowed } from './contract.ts'
import { Corpus } from './corpus.ts'
import type { CurrentInput } from './current-input.ts'
import { type Finding, findingOf } from './finding.ts'
import { MemoryWatch } from './memory-watch.ts'
import { Mutator } from './mutator.ts'
import { Random } from './random.ts'
import type { Recorder } from './recorder.ts'
import { substitutions } from './substitution.ts'
import type { FuzzTarget } from './target.ts'

export interface FuzzLimits {
  readonly executions: number
  /** Infinity: as long as the executions take. */
  readonly seconds: number
}

export interface FuzzerOptions {
  readonly target: FuzzTarget
  readonly recorder: Recorder
  readonly guard: AllocationGuard
  readonly current: CurrentInput
  /** Inputs of earlier findings and runs: tried first, with the target's own. */
  readonly inputs: readonly Buffer[]
  readonly seed: number
  readonly limits: FuzzLimits
  /** False: mutates the first inputs only, without looking at what they reach. */
  readonly isGuided: boolean
  readonly onFinding: (finding: Finding) => void
  readonly onProgress: (figures: FuzzFigures) => void
}

export interface FuzzFigures {
  readonly executions: number
  readonly elapsedMs: number
  readonly branches: number
  readonly covered: number
  readonly corpus: number
  readonly slowestMs: number
  readonly grownBytes: number
}

const PENDING_MAX = 4_096
const PROGRESS_MS = 1_000
const FINDINGS_MAX = 20
const SHRINK_RUNS_MAX = 2_000
const TOKEN_BYTES_MAX = 40
const STACK_FRAMES = 12

/** Runs one target again and again; what leads somewhere new is kept and gone on from. */
export class Fuzzer {
  readonly #options: FuzzerOptions
  readonly #random: Random
  readonly #corpus: Corpus
  readonly #mutator: Mutator
  readonly #memory = new MemoryWatch()
  readonly #keys = new Set<string>()
  readonly #pending: Buffer[] = []
  readonly #startedMs = performance.now()
  #executions = 0
  #slowestMs = 0
  #progressMs = 0

  constructor(options: FuzzerOptions) {
    this.#options = options
    this.#random = new Random(options.seed)
    this.#corpus = new Corpus(this.#random)
    const { target, recorder } = options
    this.#mutator = new Mutator({
      random: this.#random,
      bytesMax: target.inputBytesMax,
      tokens: tokensOf([...(target.tokens ?? []), ...(options.isGuided ? recorder.literals : [])]),
    })
  }

  get corpus(): readonly Buffer[] {
    return this.#corpus.entries
  }

  async run(): Promise<FuzzFigures> {
    // Most runs end in an error, and most of its cost is the stack that nobody reads.
    Error.stackTraceLimit = 0
    const { target, inputs, limits, isGuided } = this.#options
    for (const input of [...target.seeds, ...inputs]) {
      // Recordings may be longer than what is made of them.
      await this.#execute(input)
      if (!isGuided || this.#corpus.size === 0) this.#corpus.add(input)
    }
    while (this.#executions < limits.executions && this.#elapsedMs < limits.seconds * 1000) {
      const next =
        this.#pending.pop() ?? this.#mutator.mutate(this.#corpus.pick(), this.#corpus.pick())
      const running = this.#execute(next)
      if (running !== undefined) await running
    }
    return this.#figures()
  }

  get #elapsedMs(): number {
    return performance.now() - this.#startedMs
  }

  #figures(): FuzzFigures {
    const { branches, covered } = this.#options.recorder
    return {
      executions: this.#executions,
      elapsedMs: this.#elapsedMs,
      branches,
      covered,
      corpus: this.#corpus.size,
      slowestMs: this.#slowestMs,
      grownBytes: this.#memory.grownBytes,
    }
  }

  /** Undefined, not a promise, where nothing has to be waited for: that is most of the time. */
  #execute(input: Buffer): Promise<void> | undefined {
    const startedMs = performance.now()
    this.#options.recorder.clear()
    const running = this.#attempt(input)
    if (running instanceof Promise) {
      return running.then((error) => this.#finish(input, startedMs, error))
    }
    return this.#finish(input, startedMs, running)
  }

  /** What the run throws, or what it leaves that is not allowed; undefined when all is well. */
  #attempt(input: Buffer): unknown {
    const { target, current, guard } = this.#options
    current.begin(input)
    const failure = (error: unknown) => (isAllowed(error) ? undefined : error)
    const settle = () => guard.check()
    try {
      const running = target.run(input)
      if (running instanceof Promise) return running.then(settle).catch(failure)
      settle()
      return undefined
    } catch (error) {
      return failure(error)
    }
  }

  #finish(input: Buffer, startedMs: number, error: unknown): Promise<void> | undefined {
    const { recorder, isGuided } = this.#options
    this.#executions += 1
    const nowMs = performance.now()
    if (nowMs - startedMs > this.#slowestMs) this.#slowestMs = nowMs - startedMs
    this.#watch(input)
    if (error !== undefined) return this.#found(input, error)
    if (!recorder.takeNew() || !isGuided) return undefined
    this.#corpus.add(input)
    return this.#compare(input)
  }

  #watch(input: Buffer): void {
    const elapsedMs = this.#elapsedMs
    try {
      this.#memory.check(this.#executions, elapsedMs, this.#corpus.bytes)
    } catch (error) {
      this.#report(input, error)
    }
    if (elapsedMs - this.#progressMs < PROGRESS_MS) return
    this.#progressMs = elapsedMs
    this.#options.onProgress(this.#figures())
  }

  /** Once more, to see what it is compared with. */
  #compare(input: Buffer): Promise<void> | undefined {
    const { trace } = this.#options.recorder
    trace.isOn = true
    const done = (): void => {
      trace.isOn = false
      this.#pending.push(...substitutions(input, trace.take()))
      if (this.#pending.length > PENDING_MAX)
        this.#pending.splice(0, this.#pending.length - PENDING_MAX)
    }
    const running = this.#attempt(input)
    if (running instanceof Promise) return running.then(done)
    return done() as undefined
  }

  /** Once more with a stack, which says where; then the same from fewer bytes. */
  async #found(input: Buffer, error: unknown): Promise<void> {
    if (this.#keys.size >= FINDINGS_MAX) return
    Error.stackTraceLimit = STACK_FRAMES
    const again = (await this.#attempt(input)) ?? error
    const { key } = findingOf(input, again)
    if (!this.#keys.has(key)) {
      this.#keys.add(key)
      this.#report(await this.#shrink(input, key), again)
    }
    Error.stackTraceLimit = 0
  }

  #report(input: Buffer, error: unknown): void {
    const finding = findingOf(input, error)
    this.#keys.add(finding.key)
    this.#options.onFinding(finding)
  }

  /** The same finding from fewer bytes. */
  async #shrink(input: Buffer, key: string): Promise<Buffer> {
    let best = input
    let runs = 0
    for (let piece = best.length >>> 1; piece > 0; piece >>>= 1) {
      for (let at = 0; at < best.length && runs < SHRINK_RUNS_MAX; runs += 1) {
        const shorter = Buffer.concat([best.subarray(0, at), best.subarray(at + piece)])
        const error = await this.#attempt(shorter)
        if (error !== undefined && findingOf(shorter, error).key === key) best = shorter
        else at += piece
      }
    }
    return best
  }
}

function tokensOf(values: readonly (string | number)[]): Buffer[] {
  return values.flatMap((value) => {
    if (typeof value === 'string') {
      return value.length <= TOKEN_BYTES_MAX ? [Buffer.from(value)] : []
    }
    if (value < 0 || value > 0xffff_ffff) return []
    const bytes = Buffer.alloc(4)
    bytes.writeUInt32LE(value)
    return [bytes.subarray(0, value < 256 ? 1 : value < 65_536 ? 2 : 4)]
  })
}
