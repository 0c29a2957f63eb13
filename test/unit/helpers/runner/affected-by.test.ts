import { describe, expect, test } from 'vitest'
import { affectedBy } from '../../../helpers/runner/affected-by.ts'

const FILES = [
  { path: 'src/a.ts', text: "import { b } from './b.ts'\nimport type { C } from './c.ts'" },
  { path: 'src/b.ts', text: '' },
  { path: 'src/c.ts', text: '' },
  { path: 'src/program.mjs', text: "await import(new URL('./a.ts', import.meta.url).href)" },
  { path: 'src/child.js', text: '' },
  { path: 'src/starter.ts', text: `new URL(\`./chi\${letters}.js\`, import.meta.url)` },
  { path: 'test/unit/a.test.ts', text: "import '../../src/a.ts'" },
  { path: 'test/unit/c.test.ts', text: "import {\n  c,\n} from '../../src/c.ts'" },
  { path: 'test/unit/starter.test.ts', text: "const { s } = await import('../../src/starter.ts')" },
  { path: 'test/helpers/run.ts', text: "new URL('../../src/program.mjs', import.meta.url)" },
  { path: 'test/integration/run.test.ts', text: "export { run } from '../helpers/run.ts'" },
  { path: 'test/unit/page.test.ts', text: "new URL('../../PAGE.md', import.meta.url)" },
  { path: 'test/unit/folder.test.ts', text: "new URL('../fixtures/', import.meta.url)" },
  { path: 'test/unit/whole.test.ts', text: "new URL('../../', import.meta.url)" },
]
const WHOLE = 'test/unit/whole.test.ts'

describe('affectedBy', () => {
  const tests = (...changed: string[]) =>
    affectedBy(FILES, changed).tests?.filter((path) => path !== WHOLE)

  test('follows imports, and the programs that a module starts', () => {
    expect(tests('src/b.ts')).toEqual(['test/unit/a.test.ts', 'test/integration/run.test.ts'])
    expect(tests('src/child.js')).toEqual(['test/unit/starter.test.ts'])
  })

  test('leaves types to the compiler', () => {
    expect(tests('src/c.ts')).toEqual(['test/unit/c.test.ts'])
  })

  test('knows files and folders that a test reads, and a test itself', () => {
    expect(tests('PAGE.md')).toEqual(['test/unit/page.test.ts'])
    expect(tests('test/fixtures/deep/x.hex')).toEqual(['test/unit/folder.test.ts'])
    expect(tests('test/unit/c.test.ts')).toEqual(['test/unit/c.test.ts'])
    expect(tests('README.md')).toEqual([])
  })

  test('takes a test that reads the whole project for affected by anything', () => {
    expect(affectedBy(FILES, ['README.md']).tests).toEqual([WHOLE])
    expect(affectedBy(FILES, []).tests).toEqual([])
  })

  test('does not choose when what all tests stand on has changed', () => {
    const changed = ['src/b.ts', 'package-lock.json']
    expect(affectedBy(FILES, changed)).toEqual({ tests: null, why: 'package-lock.json' })
  })
})
