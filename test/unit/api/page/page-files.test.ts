import { readdir, readFile } from 'node:fs/promises'
import { posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { PageFiles } from '../../../../src/api/page/page-files.ts'
import { PAGE_MODULES } from '../../../../src/api/page/page-modules.ts'

const SRC = fileURLToPath(new URL('../../../../src/', import.meta.url))
/** Imports of values: those of types are gone in the browser. */
const IMPORT = /^import (?!type )[^;]*?from '(\.[^']+)\.ts'/gms

const files = new PageFiles()
const textOf = async (path: string) => (await files.get(path))?.body.toString() ?? ''

describe('the files of the page', () => {
  test('are all that its modules import, and nothing else', async () => {
    const reached = new Set<string>()
    const visit = async (name: string): Promise<void> => {
      if (reached.has(name)) return
      reached.add(name)
      const text = await readFile(`${SRC}${name}.ts`, 'utf8')
      for (const [, target = ''] of text.matchAll(IMPORT)) {
        await visit(posix.join(posix.dirname(name), target))
      }
    }
    await visit('api/page/browser/main')
    expect([...PAGE_MODULES].sort()).toEqual([...reached].sort())
    const own = (await readdir(`${SRC}api/page/browser`)).filter((name) => name.endsWith('.ts'))
    expect(own.every((name) => reached.has(`api/page/browser/${name.slice(0, -3)}`))).toBe(true)
  })

  test('are under 150 kB in all, as they are sent', async () => {
    let bytes = 0
    for (const path of files.paths) bytes += (await files.get(path))?.body.length ?? 0
    expect(bytes).toBeGreaterThan(50_000)
    expect(bytes).toBeLessThan(150_000)
  })

  test.each([
    ['/', 'text/html; charset=utf-8'],
    ['/page.css', 'text/css; charset=utf-8'],
    ['/uplot.css', 'text/css; charset=utf-8'],
    ['/uplot.js', 'text/javascript; charset=utf-8'],
    ['/app/api/page/browser/main.ts', 'text/javascript; charset=utf-8'],
    ['/favicon.svg', 'image/svg+xml'],
  ])('%s is %s', async (path, contentType) => {
    expect((await files.get(path))?.contentType).toBe(contentType)
  })

  test.each(['/app/gateway.ts', '/app/../package.json', '/page.css/', '//', '', '/constructor'])(
    'there is none at %j',
    async (path) => expect(await files.get(path)).toBeNull(),
  )

  test('have neither script nor style in the HTML, and no address of another host', async () => {
    const html = await textOf('/')
    expect(html).not.toMatch(/<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)/)
    for (const path of files.paths) {
      const urls = (await textOf(path)).match(/\bhttps?:\/\/[^\s'"`)]+/g) ?? []
      const others = urls.filter((url) => !url.includes('www.w3.org/2000/svg'))
      // The licence in uPlot's first line says where it is from.
      if (path !== '/uplot.js') expect(others, path).toEqual([])
    }
  })

  test('never make markup of text', async () => {
    for (const name of PAGE_MODULES) {
      const text = await readFile(`${SRC}${name}.ts`, 'utf8')
      expect(text, name).not.toMatch(
        /innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(/,
      )
    }
  })

  test('are plain JavaScript', async () => {
    const text = await textOf('/app/api/page/browser/dom.ts')
    expect(text).toContain('export function patch(')
    expect(text).not.toContain('interface ')
  })
})
