import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { DemoSummary } from '../../src/lab/demo/demo-summary.ts'
import { runCommand } from '../../src/lab/hosts/command.ts'
import { downLab } from '../../src/lab/lab-down.ts'
import { landbridgeArgv } from '../../src/lab/lab-gateways.ts'
import { labPaths } from '../../src/lab/lab-paths.ts'
import { listLabs } from '../../src/lab/lab-state.ts'
import { needs, testFlavors } from '../helpers/needs.ts'

interface DemoRun {
  readonly code: number
  readonly summary: DemoSummary
  readonly lab: string
  readonly shown: string
}

type During = (shown: string, lab: string) => Promise<void>

/** The last one named: those before were taken by other demos. */
function labOf(shown: string): string {
  return [...shown.matchAll(/\(lab ([\w-]+),/g)].at(-1)?.[1] ?? ''
}

/** Runs the demo as people do; `during` is called when its load has begun. */
async function demo(words: readonly string[], during?: During): Promise<DemoRun> {
  const [program = '', ...rest] = landbridgeArgv('demo', '--json', ...words)
  const child = spawn(program, rest, { stdio: ['ignore', 'pipe', 'pipe'] })
  const output = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output.stdout += text
  })
  const exited = once(child, 'close') as Promise<[number]>
  let lab = ''
  let interfering: Promise<void> | undefined
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    output.stderr += text
    lab = labOf(output.stderr)
    if (during !== undefined && interfering === undefined && / \d+ s, /.test(output.stderr)) {
      interfering = during(output.stderr, lab)
    }
  })
  try {
    const [code] = await exited
    await interfering
    const last = output.stdout.trimEnd().split('\n').at(-1) ?? ''
    return { code, summary: JSON.parse(last), lab, shown: output.stderr }
  } finally {
    child.kill('SIGKILL')
    if (lab !== '' && child.exitCode === null) await downLab(labPaths(lab))
  }
}

/** What gateways warned of the link within ten seconds: on a busy machine a start takes longer. */
async function earlyWarnings(logDirectory: string): Promise<object[]> {
  const logs = ['ec2', 'azure'].map((name) => readFile(join(logDirectory, `${name}.log`), 'utf8'))
  return (await Promise.all(logs)).flatMap((log) => {
    const lines = log.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line)]))
    const startedMs = Date.parse(lines[0]?.time)
    return lines.filter(
      ({ level, code, time }) =>
        level !== 'info' &&
        /^ERR_LINK_(LISTEN|DIAL)$/.test(code) &&
        Date.parse(time) < startedMs + 9_500,
    )
  })
}

describe('the demo', needs('root'), () => {
  testFlavors('ends all equal with %s', async (flavor) => {
    const { code, summary, lab, shown } = await demo(['--flavor', flavor, '--seconds', '5'])
    expect(summary, shown).toMatchObject({
      ok: true,
      flavor,
      spoolIdentical: true,
      replicaEqual: true,
      failures: [],
    })
    expect(code).toBe(0)
    expect(summary.transactions).toBeGreaterThan(0)
    expect(summary.binlogBytes).toBeGreaterThan(summary.transactions)
    expect(summary.tunnelBytes).toBeGreaterThan(0)
    for (const lag of [summary.receiveLagMs, summary.applyLagMs]) {
      expect(lag.p50).toBeGreaterThan(0)
      expect(lag.p99).toBeGreaterThanOrEqual(lag.p50 ?? Number.POSITIVE_INFINITY)
    }
    expect(shown).toContain('✓ spool identical to source')
    expect(shown).toContain('✓ replica equals source')
    expect(await listLabs()).not.toContain(lab)
  })

  /** Of each flavour one of the two ways in which a lab can be larger than a pair. */
  const larger = {
    mariadb: { words: ['--sites', '3'], copies: ['main at azure', 'main at gcp'] },
    mysql: { words: ['--streams', '2'], copies: ['main at azure', 'back at ec2'] },
  }

  testFlavors('ends all equal in a larger lab of %s', async (flavor) => {
    const { words, copies } = larger[flavor]
    const load = ['--seconds', '5', '--rate-tps', '100']
    const { code, summary, shown } = await demo(['--flavor', flavor, ...load, ...words])
    expect(summary, shown).toMatchObject({ ok: true, failures: [] })
    expect(code).toBe(0)
    const equal = summary.copies.filter((copy) => copy.spoolIdentical && copy.replicaEqual)
    expect(equal.map(({ stream, site }) => `${stream} at ${site}`)).toEqual(copies)
    for (const { receiveLagMs, applyLagMs } of equal) {
      expect(receiveLagMs.p50).toBeGreaterThan(0)
      expect(applyLagMs.p50).toBeGreaterThan(0)
    }
    for (const copy of copies) expect(shown).toContain(`✓ ${copy}: replica equals source`)
  })

  test('fails, and names file and offset, when one byte of the spool is another', async () => {
    const { code, summary } = await demo(['--seconds', '3', '--corrupt-spool'])
    expect(code).toBe(1)
    expect(summary).toMatchObject({ ok: false, spoolIdentical: false, replicaEqual: true })
    expect(summary.failures).toEqual([
      expect.stringMatching(/^spool: binlog\.\d+: differs at offset \d+: source 0x\w\w, spool 0x/),
    ])
  })

  test('ends all equal when each gateway is killed under load and started by hand', async () => {
    // Four commands have to be through before the demo is: on a busy machine each takes seconds.
    let warnings: unknown
    const { code, summary, shown } = await demo(
      ['--seconds', '20', '--rate-tps', '100'],
      async (_shown, lab) => {
        const replace = async (gateway: string) => {
          await runCommand(landbridgeArgv('lab', 'kill', gateway, '--name', lab))
          await runCommand(landbridgeArgv('lab', 'start', gateway, '--name', lab))
        }
        warnings = await earlyWarnings(labPaths(lab).logDirectory)
        await Promise.all(['ec2-gateway', 'azure-gateway'].map(replace))
      },
    )
    expect(summary, shown).toMatchObject({ ok: true, spoolIdentical: true, replicaEqual: true })
    expect(code).toBe(0)
    // Of the first start, which was a normal one.
    expect(warnings).toEqual([])
  })

  test('leaves nothing when it is interrupted', async () => {
    const [program = '', ...rest] = landbridgeArgv('demo', '--seconds', '60')
    const child = spawn(program, rest, { stdio: ['ignore', 'pipe', 'ignore'] })
    let shown = ''
    for await (const text of child.stdout.setEncoding('utf8')) {
      shown += text
      if (/Writing to the source/.test(shown) && !child.killed) child.kill('SIGINT')
    }
    const lab = labOf(shown)
    expect(lab).not.toBe('')
    expect(await listLabs()).not.toContain(lab)
  })
})
