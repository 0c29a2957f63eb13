import { posix } from 'node:path'
import { IMPORT } from '../../tidy/import-direction.ts'
import { isCode, type SourceFile } from '../../tidy/source-file.ts'

/** Changes of these can affect any test. */
const FILES_OF_ALL = /^(?:package(?:-lock)?\.json|vitest\.config\.ts|tsconfig.*\.json)$/
const FOLDERS_OF_ALL = ['src/setup/', 'test/helpers/runner/', '.ci/']

/** Types are gone when the code runs; `tsc` judges them. */
const TYPE_IMPORT = /^(?:import|export) type [^'"]*['"][^'"]+['"]/gm
/** How a module names a program that it starts, a folder or a file that it reads. */
const URL_OF = /new URL\(\s*(['"`])([^'"`]+)\1,\s*import\.meta\.url/g

/**
 * Test files that depend on what changed, by imports and by the programs and files that modules
 * name with `new URL(..., import.meta.url)`. `tests` is null when any test may: see `why`.
 */
export function affectedBy(
  files: readonly SourceFile[],
  changed: readonly string[],
): { readonly tests: readonly string[] | null; readonly why?: string } {
  const why = changed.find((path) => {
    return FILES_OF_ALL.test(path) || FOLDERS_OF_ALL.some((folder) => path.startsWith(folder))
  })
  if (why !== undefined) return { tests: null, why }
  const code = files.filter(isCode)
  const dependencies = new Map(code.map((file) => [file.path, dependenciesOf(file)]))
  const reached = new Set(changed)
  for (let before = -1; before !== reached.size; ) {
    before = reached.size
    for (const [path, patterns] of dependencies) {
      if (!reached.has(path) && patterns.some((pattern) => matchesAny(pattern, reached))) {
        reached.add(path)
      }
    }
  }
  const tests = code.map(({ path }) => path).filter((path) => /^test\/.+\.test\.ts$/.test(path))
  return { tests: tests.filter((path) => reached.has(path)) }
}

/** A path, or a folder with a slash at its end (an empty text is the whole project). */
interface Pattern {
  readonly path: string
  /** A part of the name is made up when the program runs: any will do. */
  readonly expression: RegExp | null
}

function dependenciesOf({ path, text }: SourceFile): Pattern[] {
  const kept = text.replaceAll(TYPE_IMPORT, '')
  const named = [
    ...[...kept.matchAll(IMPORT)].map((match) => match[1] ?? ''),
    ...[...kept.matchAll(URL_OF)].map((match) => match[2] ?? ''),
  ]
  return named.map((name) => patternOf(posix.join(posix.dirname(path), name)))
}

function patternOf(path: string): Pattern {
  if (path === '.' || path === './') return { path: '', expression: null }
  if (!path.includes('${')) return { path, expression: null }
  const source = path
    .split(/\$\{[^}]*\}/)
    .map((part) => part.replaceAll(/[.*+?^$()|[\]\\{}]/g, '\\$&'))
    .join('[^/]*')
  return { path, expression: new RegExp(`^${source}$`) }
}

function matchesAny({ path, expression }: Pattern, reached: ReadonlySet<string>): boolean {
  if (expression === null && reached.has(path)) return true
  const folder = path === '' ? '' : `${path.replace(/\/$/, '')}/`
  for (const candidate of reached) {
    if (expression === null ? candidate.startsWith(folder) : expression.test(candidate)) return true
  }
  return false
}
