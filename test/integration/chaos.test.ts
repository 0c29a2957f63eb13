import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import type { ChaosSummary } from '../../src/lab/chaos/chaos-summary.ts'
import { downLab } from '../../src/lab/lab-down.ts'
import { landbridgeArgv } from '../../src/lab/lab-gateways.ts'
import { labPaths } from '../../src/lab/lab-paths.ts'
import { listLabs } from '../../src/lab/lab-state.ts'
import { needs, testFlavors } from '../helpers/needs.ts'

/** A build machine takes longer; see .ci/run. */
const MINUTES = Number(process.env.LANDBRIDGE_CHAOS_MINUTES ?? 0.4)
const BUILD_AND_COMPARE_MS = 300_000
/** Half a minute of each has most kinds between them; `--plan` shows it. */
const SEEDS = { mariadb: 9, mysql: 5 } as const

/** Of each flavour one of the two ways in which a lab can be larger than a pair. */
const LARGER = {
  mariadb: {
    words: ['--sites', '3', '--seed', '101'],
    copies: [
      { stream: 'main', site: 'azure' },
      { stream: 'main', site: 'gcp' },
    ],
  },
  mysql: {
    words: ['--streams', '2', '--seed', '102'],
    copies: [
      { stream: 'main', site: 'azure' },
      { stream: 'back', site: 'ec2' },
    ],
  },
} as const

interface ChaosRun {
  readonly code: number
  readonly stdout: string
  readonly shown: string
  /** Labs there were when it had ended. */
  readonly labs: readonly string[]
}

/** Runs chaos as people do; `during` is called once things are being broken. */
async function chaos(
  words: readonly string[],
  name: string,
  during?: (kill: (signal: NodeJS.Signals) => void) => void,
): Promise<ChaosRun> {
  const argv = landbridgeArgv('chaos', '--json', '--name', name, ...words)
  const [program = '', ...rest] = argv
  const child = spawn(program, rest, { stdio: ['ignore', 'pipe', 'pipe'] })
  const output = { stdout: '', stderr: '' }
  let told = false
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output.stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    output.stderr += text
    if (told || !output.stderr.includes('Breaking it')) return
    told = true
    during?.((signal) => child.kill(signal))
  })
  try {
    const [code] = (await once(child, 'close')) as [number]
    return { code, stdout: output.stdout, shown: output.stderr, labs: await listLabs() }
  } finally {
    child.kill('SIGKILL')
    await downLab(labPaths(name))
  }
}

describe('chaos', needs('root'), () => {
  testFlavors(
    'loses and doubles nothing with %s',
    { timeout: MINUTES * 60_000 + BUILD_AND_COMPARE_MS },
    async (flavor) => {
      const { code, stdout, shown } = await chaos(
        ['--flavor', flavor, '--minutes', String(MINUTES), '--seed', String(SEEDS[flavor])],
        `chaos-test-${process.pid}`,
      )
      const summary: ChaosSummary = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '{}')
      expect(summary, shown).toMatchObject({
        ok: true,
        flavor,
        seed: SEEDS[flavor],
        lost: 0,
        doubled: 0,
        spoolIdentical: true,
        replicaEqual: true,
        failures: [],
      })
      // How many there is time for depends on how soon a busy machine recovers.
      // A fault that is slow to heal takes half a minute on a busy machine.
      expect(summary.faults).toBeGreaterThanOrEqual(Math.max(1, Math.floor(MINUTES * 2)))
      expect(summary.transactions).toBeGreaterThan(100)
      expect(code).toBe(0)
    },
  )

  testFlavors(
    'loses and doubles nothing in a larger lab of %s',
    { timeout: MINUTES * 60_000 + BUILD_AND_COMPARE_MS },
    async (flavor) => {
      const { words, copies } = LARGER[flavor]
      const { code, stdout, shown } = await chaos(
        ['--flavor', flavor, '--minutes', String(MINUTES), ...words],
        `chaos-large-${process.pid}`,
      )
      const summary: ChaosSummary = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '{}')
      expect(summary, shown).toMatchObject({ ok: true, lost: 0, doubled: 0, failures: [] })
      const whole = { lost: 0, doubled: 0, spoolIdentical: true, replicaEqual: true }
      expect(summary.copies).toEqual(copies.map((copy) => ({ ...copy, ...whole })))
      expect(summary.faults).toBeGreaterThan(0)
      expect(summary.transactions).toBeGreaterThan(100)
      expect(code).toBe(0)
    },
  )

  test(
    'leaves nothing behind when interrupted while things are broken',
    needs('mariadb'),
    async () => {
      const name = `chaos-stop-${process.pid}`
      const words = ['--minutes', '5', '--seed', '4', '--only', 'stop']
      const { code, shown, labs } = await chaos(words, name, (kill) =>
        setTimeout(kill, 2_500, 'SIGINT'),
      )
      expect(shown).toContain('Healing everything')
      expect(code).not.toBe(0)
      expect(labs).not.toContain(name)
    },
  )
})
