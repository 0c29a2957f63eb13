import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { declaredNeeds } from '../../tidy/declared-needs.ts'
import { ERROR_TABLE, errorCodes } from '../../tidy/error-codes.ts'
import { importDirection, MAY_IMPORT } from '../../tidy/import-direction.ts'
import { fileSize, lineLength } from '../../tidy/size.ts'
import { terminalWriters } from '../../tidy/terminal-writers.ts'
import {
  bannedWords,
  emptyCatches,
  FOREIGN_WORDS,
  focusedTests,
  MARKERS,
  REGISTRY_HOSTS,
  registryHosts,
} from '../../tidy/words.ts'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))

const file = (path: string, text: string) => ({ path, text })

test('declaredNeeds finds a test on real servers that does not say what it needs', () => {
  const path = 'test/integration/a.test.ts'
  expect(declaredNeeds(file(path, "test('runs', async () => {})"))).toHaveLength(1)
  expect(declaredNeeds(file(path, "test('runs', needs('mysql'), async () => {})"))).toEqual([])
  expect(declaredNeeds(file(path, "describeFlavors('%s', () => {})"))).toEqual([])
  expect(declaredNeeds(file('test/unit/a.test.ts', ''))).toEqual([])
})

test('terminalWriters finds what writes to a terminal by itself', () => {
  const line = `process.stdout.write('a')`
  expect(terminalWriters(file('src/cli/a.ts', line))).toHaveLength(1)
  expect(terminalWriters(file('src/lab/a.ts', 'console.log(1)'))).toHaveLength(1)
  expect(terminalWriters(file('src/cli/terminal/terminal.ts', line))).toEqual([])
  expect(terminalWriters(file('test/bench/main.ts', line))).toEqual([])
})

describe('importDirection', () => {
  const importing = (path: string, target: string) =>
    importDirection(file(path, `\nimport { x } from '${target}'\n`))

  test('lets a station import what lies below it and its own folder', () => {
    expect(importing('src/relay/dump.ts', './session.ts')).toEqual([])
    expect(importing('src/relay/dump.ts', '../binlog/gtid-set.ts')).toEqual([])
    expect(importing('src/gateway.ts', './relay/server.ts')).toEqual([])
    expect(importing('src/cli/main.ts', '../../package.json')).toEqual([])
  })

  test('refuses a station that imports another, or what stands above it', () => {
    expect(importing('src/spool/writer.ts', '../relay/server.ts')).toEqual([
      { path: 'src/spool/writer.ts', line: 2, message: 'spool must not import relay' },
    ])
    expect(importing('src/link/sender.ts', '../database/attach.ts')).toHaveLength(1)
    expect(importing('src/status/verdicts.ts', '../progress/throttle.ts')).toHaveLength(1)
  })

  test('refuses an import upwards in every form, and one from the tests', () => {
    expect(importing('src/base/log.ts', '../cli/main.ts')).toHaveLength(1)
    expect(importing('src/keys/key.ts', '../../test/run.ts')).toHaveLength(1)
    const forms = ["await import('../lab/wan.ts')", "export * from '../lab/wan.ts'"]
    for (const text of [...forms, "import type { A } from '../lab/wan.ts'"]) {
      expect(importDirection(file('src/spool/a.ts', text))).toHaveLength(1)
    }
  })

  test('refuses a folder that the layers do not know', () => {
    expect(importDirection(file('src/misc/a.ts', ''))).toHaveLength(1)
  })

  test('has no two folders that may import each other', () => {
    for (const [from, targets] of Object.entries(MAY_IMPORT)) {
      for (const to of targets) expect(MAY_IMPORT[to]).not.toContain(from)
    }
  })
})

describe('size', () => {
  test('finds the file with one line too many', () => {
    expect(fileSize(file('src/a.ts', 'x\n'.repeat(400)))).toEqual([])
    expect(fileSize(file('src/a.ts', 'x\n'.repeat(401)))).toHaveLength(1)
    expect(fileSize(file('test/a.test.ts', 'x\n'.repeat(500)))).toEqual([])
    expect(fileSize(file('test/a.test.ts', 'x\n'.repeat(501)))).toHaveLength(1)
    expect(fileSize(file('README.md', 'x\n'.repeat(501)))).toEqual([])
  })

  test('finds the line with one column too many, unless it holds an address', () => {
    const wide = 'x'.repeat(101)
    expect(lineLength(file('src/a.ts', `\n${wide}`))).toMatchObject([{ line: 2 }])
    expect(lineLength(file('src/a.ts', wide.slice(1)))).toEqual([])
    expect(lineLength(file('test/a.test.ts', `${wide} https://example.org`))).toEqual([])
  })

  test('biome finds the function with more than 60 lines', () => {
    const folder = mkdtempSync(join(tmpdir(), 'landbridge-tidy-'))
    const lint = (lines: number) => {
      const path = join(folder, `long-${lines}.ts`)
      const body = '  console.log(1)\n'.repeat(lines - 2)
      writeFileSync(path, `export function long(): void {\n${body}}\n`)
      const argv = ['lint', `--config-path=${ROOT}`, '--error-on-warnings', path]
      return spawnSync('node_modules/.bin/biome', argv, { cwd: ROOT, encoding: 'utf8' })
    }
    try {
      const short = lint(60)
      expect(short.status, short.stdout + short.stderr).toBe(0)
      const { status, stdout, stderr } = lint(61)
      expect(status).toBe(1)
      expect(stdout + stderr).toContain('noExcessiveLinesPerFunction')
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})

describe('words', () => {
  test.each([...MARKERS, ...FOREIGN_WORDS])('finds %s as a word, not inside another', (word) => {
    expect(bannedWords(file('src/a.ts', `x\n// ${word}: later`))).toMatchObject([{ line: 2 }])
    expect(bannedWords(file('src/a.ts', `un${word}ed`))).toEqual([])
  })

  test.each(REGISTRY_HOSTS)('finds the registry %s', (host) => {
    expect(registryHosts(file('Dockerfile', `FROM ${host}x`))).toHaveLength(1)
  })

  test('finds a focused test', () => {
    expect(focusedTests(file('test/unit/a.test.ts', "test.only('x', run)"))).toHaveLength(1)
    expect(focusedTests(file('test/unit/a.test.ts', "describe.each(x).only('x')"))).toEqual([])
    expect(focusedTests(file('test/unit/a.test.ts', "test('--only', run)"))).toEqual([])
  })

  test('finds a catch that swallows without a reason', () => {
    const braces = '{}'
    expect(emptyCatches(file('src/a.ts', `try { x() } catch ${braces}`))).toHaveLength(1)
    expect(emptyCatches(file('src/a.ts', '\ncatch (error) {\n}'))).toMatchObject([{ line: 2 }])
    expect(emptyCatches(file('src/a.ts', 'catch {\n  // It was there already.\n}'))).toEqual([])
  })
})

describe('errorCodes', () => {
  const table = (...codes: string[]) =>
    file(ERROR_TABLE, codes.map((code) => `| ${code} | meaning | remedy |`).join('\n'))
  const using = (code: string) => file('src/a.ts', `throw new LandbridgeError('${code}', '')`)

  test('finds a code without a row and a row without a code', () => {
    expect(errorCodes([table('ERR_A'), using('ERR_A')])).toEqual([])
    expect(errorCodes([table('ERR_A'), using('ERR_A'), using('ERR_B')])).toMatchObject([
      { path: 'src/a.ts', message: expect.stringContaining('ERR_B') },
    ])
    expect(errorCodes([table('ERR_A', 'ERR_B'), using('ERR_A')])).toMatchObject([
      { path: ERROR_TABLE, message: expect.stringContaining('ERR_B') },
    ])
  })

  test('finds rows out of order, and lets codes of Node be', () => {
    const files = [table('ERR_B', 'ERR_A'), using('ERR_A'), using('ERR_B')]
    expect(errorCodes(files)).toMatchObject([{ message: expect.stringContaining('sorted') }])
    expect(errorCodes([table(), using('ERR_STREAM_PREMATURE_CLOSE')])).toEqual([])
  })
})
