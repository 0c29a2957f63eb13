import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { CurrentInput } from './current-input.ts'
import { type Finding, findingOf } from './finding.ts'
import type { FuzzFigures, FuzzLimits } from './fuzzer.ts'
import type { WorkerInput, WorkerMessage } from './worker.ts'

export interface CampaignOptions {
  readonly module: URL
  /** Folders whose modules are instrumented; by default `src`. */
  readonly instrumented?: readonly URL[]
  readonly inputs?: readonly Buffer[]
  readonly seed: number
  readonly limits: FuzzLimits
  readonly isGuided?: boolean
  /** One execution that takes longer is a finding. */
  readonly hangMs?: number
  readonly onProgress?: (figures: FuzzFigures) => void
  readonly signal?: AbortSignal
}

export interface CampaignResult {
  readonly figures: FuzzFigures
  readonly findings: readonly Finding[]
  readonly corpus: readonly Buffer[]
}

const SOURCE = new URL('../../../src/', import.meta.url)
/** A busy machine may leave a target that waits for files without a turn for many seconds. */
const HANG_MS = 60_000
const LOOK_MS = 200
const INPUT_BYTES_MAX = 1024 * 1024
const HEAP_MEGABYTES_MAX = 512
const NOTHING: FuzzFigures = {
  executions: 0,
  elapsedMs: 0,
  branches: 0,
  covered: 0,
  corpus: 0,
  slowestMs: 0,
  grownBytes: 0,
}

/** Fuzzes one target in a thread of its own, which may hang, run out of memory or die. */
export async function runCampaign(options: CampaignOptions): Promise<CampaignResult> {
  const current = new CurrentInput({ bytesMax: INPUT_BYTES_MAX })
  const worker = startWorker(options, current)
  const findings: Finding[] = []
  let figures = NOTHING
  let corpus: readonly Buffer[] = []
  const broke = (error: unknown): void => void findings.push(findingOf(current.read(), error))
  worker.on('message', (message: WorkerMessage) => {
    if (message.kind === 'finding') {
      findings.push({ ...message.finding, input: Buffer.from(message.finding.input) })
      return
    }
    figures = message.figures
    if (message.kind === 'done') corpus = message.corpus.map((bytes) => Buffer.from(bytes))
    else options.onProgress?.(figures)
  })
  worker.on('error', broke)
  const stop = (): void => void worker.terminate()
  options.signal?.addEventListener('abort', stop, { once: true })
  const watch = watchTurns(current, options.hangMs ?? HANG_MS, (elapsedMs) => {
    broke(new Error(`one execution runs for more than ${elapsedMs} ms`))
    stop()
  })
  try {
    await once(worker, 'exit')
  } finally {
    clearInterval(watch)
    options.signal?.removeEventListener('abort', stop)
  }
  return { figures, findings, corpus }
}

function startWorker(options: CampaignOptions, current: CurrentInput): Worker {
  const { module, instrumented = [SOURCE], inputs = [], seed, limits, isGuided = true } = options
  const workerData: WorkerInput = {
    module: module.href,
    instrumented: instrumented.map(({ href }) => href),
    inputs,
    seed,
    limits,
    isGuided,
    current: current.memory,
  }
  return new Worker(fileURLToPath(new URL('./worker.ts', import.meta.url)), {
    workerData,
    execArgv: ['--disable-warning=ExperimentalWarning'],
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MEGABYTES_MAX },
  })
}

/** Calls `onHang` when the same execution is under way for too long. */
function watchTurns(
  current: CurrentInput,
  hangMs: number,
  onHang: (hangMs: number) => void,
): NodeJS.Timeout {
  let turn = 0
  let sinceMs = performance.now()
  return setInterval(() => {
    const nowMs = performance.now()
    // Before the first one the worker still loads.
    if (current.turn === 0 || current.turn !== turn) {
      turn = current.turn
      sinceMs = nowMs
    } else if (nowMs - sinceMs > hangMs) {
      sinceMs = Number.POSITIVE_INFINITY
      onHang(hangMs)
    }
  }, LOOK_MS)
}
