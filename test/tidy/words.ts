import type { Finding, SourceFile } from './source-file.ts'
import { eachLine, isCode } from './source-file.ts'

/** Spelled in halves, so that this file is not its own finding. */
const joined = (...pairs: readonly (readonly [string, string])[]) =>
  pairs.map(([first, second]) => first + second)

/** Marks of unfinished work. What is not done yet is not in the code. */
export const MARKERS = joined(['TO', 'DO'], ['FIX', 'ME'], ['XX', 'X'], ['HA', 'CK'], ['ha', 'cky'])

/** The project speaks about itself, not about how it came to be. */
export const FOREIGN_WORDS = joined(['A', 'I'], ['L', 'LM'], ['age', 'nt'], ['age', 'nts'])

/** Which registry a machine uses is the machine's own setting. */
export const REGISTRY_HOSTS = joined(
  ['registry.npm', 'js.org'],
  ['registry.yarn', 'pkg.com'],
  ['npm.pkg.', 'github.com'],
  ['deb.', 'debian.org'],
  ['security.', 'debian.org'],
  ['archive.', 'ubuntu.com'],
  ['docker', '.io/'],
  ['ghcr', '.io'],
  ['quay', '.io'],
  ['mcr.', 'microsoft.com'],
  ['pypi', '.org'],
  ['proxy.', 'golang.org'],
)

const FOREIGN_PATHS = ['package-lock.json', 'LICENSE']

export function bannedWords(file: SourceFile): Finding[] {
  if (FOREIGN_PATHS.includes(file.path)) return []
  const words = [...MARKERS, ...FOREIGN_WORDS].map((word) => word)
  const pattern = new RegExp(`(?<![\\w-])(${words.join('|')})(?![\\w-])`)
  return eachLine(file, (line) => {
    const match = pattern.exec(line)
    return match === null ? undefined : `the word ${match[1]} has no place here`
  })
}

export function registryHosts(file: SourceFile): Finding[] {
  return eachLine(file, (line) => {
    const host = REGISTRY_HOSTS.find((name) => line.includes(name))
    return host === undefined ? undefined : `names the registry ${host}`
  })
}

const FOCUS = /\b(?:test|it|describe)(?:\.\w+)*\.only\b/

/** A focused test hides every other one. */
export function focusedTests(file: SourceFile): Finding[] {
  if (!/\.test\.ts$/.test(file.path) || file.path.startsWith('test/unit/tidy/')) return []
  return eachLine(file, (line) => (FOCUS.test(line) ? 'a focused test' : undefined))
}

const EMPTY_CATCH = /\bcatch\s*(?:\([^)]*\))?\s*\{\s*\}/g

/** Swallowing an error may be right, but then a comment in the block says why. */
export function emptyCatches(file: SourceFile): Finding[] {
  if (!isCode(file)) return []
  return [...file.text.matchAll(EMPTY_CATCH)].map(({ index }) => ({
    path: file.path,
    line: file.text.slice(0, index).split('\n').length,
    message: 'an empty catch without a reason',
  }))
}
