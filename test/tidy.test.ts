import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { declaredNeeds } from './tidy/declared-needs.ts'
import { errorCodes } from './tidy/error-codes.ts'
import { importDirection } from './tidy/import-direction.ts'
import { fileSize, lineLength } from './tidy/size.ts'
import { formatFinding, readProject } from './tidy/source-file.ts'
import { terminalWriters } from './tidy/terminal-writers.ts'
import { bannedWords, emptyCatches, focusedTests, registryHosts } from './tidy/words.ts'

/** Functions of at most 60 lines are biome's noExcessiveLinesPerFunction, see biome.json. */
const files = readProject(fileURLToPath(new URL('../', import.meta.url)))

test.each([
  ['imports go one way through the layers', importDirection],
  ['no file is longer than it can be read', fileSize],
  ['no line is wider than a screen half', lineLength],
  ['no word marks unfinished or foreign business', bannedWords],
  ['no file names a package registry', registryHosts],
  ['no test is focused', focusedTests],
  ['a test on real servers declares what it needs', declaredNeeds],
  ['only one place writes to a terminal', terminalWriters],
  ['no catch is empty without a reason', emptyCatches],
])('%s', (_name, rule) => {
  expect(files.flatMap(rule).map(formatFinding)).toEqual([])
})

test('error codes and their table agree', () => {
  expect(errorCodes(files).map(formatFinding)).toEqual([])
})

test('the project was read', () => {
  expect(files.map(({ path }) => path)).toContain('src/base/errors.ts')
})
