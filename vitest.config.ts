import { defineConfig } from 'vitest/config'
import { LongestFirst } from './test/helpers/longest-first.ts'

/** One project per kind of test, so that a run can say which kinds it held. */
const project = (name: string, include: string[], options: Record<string, unknown> = {}) => ({
  test: {
    name,
    include,
    environment: 'node',
    // How long something may take to come true says nothing: the machine may be busy.
    expect: { poll: { timeout: 20_000 } },
    testTimeout: 30_000,
    hookTimeout: 30_000,
    ...options,
  },
})

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      project('tidy', ['test/tidy.test.ts']),
      project('unit', ['test/unit/**/*.test.ts']),
      project('scenarios', ['test/scenarios/**/*.test.ts'], { testTimeout: 60_000 }),
      project('fuzz', ['test/fuzz/**/*.test.ts'], { testTimeout: 120_000 }),
      // Real servers: two files at a time, since each waits more than it works. Projects with
      // another number of workers run one after the other, which their order says.
      project('integration', ['test/integration/**/*.test.ts'], {
        testTimeout: 180_000,
        hookTimeout: 180_000,
        maxWorkers: 2,
        sequence: { groupOrder: 1 },
      }),
      // What measures the processor has the machine to itself.
      project('quiet', ['test/quiet/**/*.test.ts'], {
        testTimeout: 180_000,
        hookTimeout: 180_000,
        fileParallelism: false,
        sequence: { groupOrder: 2 },
      }),
      // Gigabytes: for whoever asks for them.
      project('long', ['test/long/**/*.test.ts'], {
        testTimeout: 1_800_000,
        hookTimeout: 600_000,
        fileParallelism: false,
        sequence: { groupOrder: 3 },
      }),
    ],
  },
})
