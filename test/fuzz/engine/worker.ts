import { existsSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import { AllocationGuard } from './allocation-guard.ts'
import { CurrentInput } from './current-input.ts'
import type { Finding } from './finding.ts'
import type { FuzzFigures, FuzzLimits } from './fuzzer.ts'
import { instrumentModules } from './load-hook.ts'
import { Recorder } from './recorder.ts'
import type { TargetModule } from './target.ts'

export interface WorkerInput {
  /** URL of the module with `createTarget`. */
  readonly module: string
  /** URLs of folders whose modules are instrumented. */
  readonly instrumented: readonly string[]
  readonly inputs: readonly Uint8Array[]
  readonly seed: number
  readonly limits: FuzzLimits
  readonly isGuided: boolean
  readonly current: SharedArrayBuffer
}

export type WorkerMessage =
  | { readonly kind: 'progress'; readonly figures: FuzzFigures }
  | { readonly kind: 'finding'; readonly finding: Finding }
  | {
      readonly kind: 'done'
      readonly figures: FuzzFigures
      readonly corpus: readonly Uint8Array[]
    }

/** Files in memory: targets that read files write one for every run. */
const MEMORY_FOLDER = '/dev/shm'

async function main(input: WorkerInput): Promise<void> {
  if (existsSync(MEMORY_FOLDER)) process.env.TMPDIR = MEMORY_FOLDER
  const recorder = new Recorder()
  recorder.install()
  if (input.isGuided) instrumentModules(input.instrumented, recorder)
  // Only now: whatever the fuzzer itself takes from `src` is instrumented as well.
  const { Fuzzer } = await import('./fuzzer.ts')
  const { createTarget } = (await import(input.module)) as TargetModule
  const target = await createTarget()
  const guard = new AllocationGuard()
  guard.install()
  const send = (message: WorkerMessage): void => parentPort?.postMessage(message)
  const fuzzer = new Fuzzer({
    ...input,
    target,
    recorder,
    guard,
    inputs: input.inputs.map((bytes) => Buffer.from(bytes)),
    current: new CurrentInput(input.current),
    onFinding: (finding) => send({ kind: 'finding', finding }),
    onProgress: (figures) => send({ kind: 'progress', figures }),
  })
  const figures = await fuzzer.run()
  await target.close?.()
  send({ kind: 'done', figures, corpus: fuzzer.corpus })
}

await main(workerData as WorkerInput)
