import { defineConfig } from 'vitest/config'
import { LongestFirst } from './test/helpers/runner/longest-first.ts'

const TOGETHER = { maxWorkers: 4 }

/** One project per kind of test, so that a run can say which kinds it held. */
const project = (name: string, include: string[], options: Record<string, unknown> = {}) => ({
  test: {
    name,
    include,
    environment: 'node',
    setupFiles: ['test/helpers/runner/measure-cpu.ts'],
    // How long something may take to come true says nothing: the machine may be busy.
    // These limits are for what never comes true.
    expect: { poll: { timeout: 60_000 } },
    testTimeout: 90_000,
    hookTimeout: 90_000,
    ...options,
  },
})

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      project('tidy', ['test/tidy.test.ts'], TOGETHER),
      // These share one pool. Tests with real servers wait more than they work, so there are more
      // workers than processors; the longest files begin first, the short ones fill the gaps.
      project('unit', ['test/unit/**/*.test.ts'], TOGETHER),
      project('scenarios', ['test/scenarios/**/*.test.ts'], { ...TOGETHER, testTimeout: 180_000 }),
      project('fuzz', ['test/fuzz/**/*.test.ts'], { ...TOGETHER, testTimeout: 300_000 }),
      project('integration', ['test/integration/**/*.test.ts'], {
        ...TOGETHER,
        testTimeout: 420_000,
        hookTimeout: 420_000,
      }),
      // The web page, in a browser.
      project('browser', ['test/browser/**/*.test.ts'], { ...TOGETHER, testTimeout: 180_000 }),
      // What measures, or changes what the whole machine shares, has the machine to itself.
      project('alone', ['test/alone/**/*.test.ts'], {
        testTimeout: 420_000,
        hookTimeout: 420_000,
        fileParallelism: false,
        sequence: { groupOrder: 1 },
      }),
      // Gigabytes, and a Docker engine: for whoever asks for them.
      project('long', ['test/long/**/*.test.ts'], {
        testTimeout: 1_800_000,
        hookTimeout: 600_000,
        fileParallelism: false,
        sequence: { groupOrder: 2 },
      }),
      project('docker', ['test/docker/**/*.test.ts'], {
        testTimeout: 1_800_000,
        hookTimeout: 600_000,
        fileParallelism: false,
        sequence: { groupOrder: 3 },
      }),
    ],
  },
})
