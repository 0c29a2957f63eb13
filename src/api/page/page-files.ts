import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import module, { createRequire } from 'node:module'
import { PAGE_HTML } from './page-html.ts'
import { PAGE_MODULES } from './page-modules.ts'

export interface PageFile {
  readonly contentType: string
  readonly body: Buffer
  readonly etag: string
}

/** Of this package: from source two folders up is src/, as built it is dist/. */
const CODE = new URL('../../', import.meta.url)
const SOURCE = new URL('../src/api/page/', CODE)
const EXTENSION = import.meta.url.endsWith('.ts') ? '.ts' : '.js'

/** The map of a compiled one is among them: nobody serves it. */
const COMMENT = /^[ \t]*(?:\/\*\*?[\s\S]*?\*\/|\/\/.*)[ \t]*\n?/gm
/** Indentation, empty lines, and the blanks that stripped types leave. */
const MARGIN = /^\s+|[ \t]+$/gm

const HTML = 'text/html; charset=utf-8'
const CSS = 'text/css; charset=utf-8'
const SCRIPT = 'text/javascript; charset=utf-8'
const SVG = 'image/svg+xml'

/**
 * The files of the page by path. The modules in the browser lie as they do in the package, so that
 * they import each other as they are written; run from source, their types are stripped here.
 */
export class PageFiles {
  readonly #loaded = new Map<string, Promise<PageFile>>()

  /** Null for a path that has no file. Rejects with the system's error where one is missing. */
  async get(path: string): Promise<PageFile | null> {
    const read = READERS.get(path)
    if (read === undefined) return null
    // From source a change is seen at the next reload.
    if (EXTENSION === '.ts') return await read()
    const loaded = this.#loaded.get(path) ?? read()
    this.#loaded.set(path, loaded)
    return await loaded
  }

  get paths(): readonly string[] {
    return [...READERS.keys()]
  }
}

type Reader = () => Promise<PageFile>

const READERS: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  ['/', async () => fileOf(HTML, PAGE_HTML(EXTENSION))],
  ['/page.css', async () => fileOf(CSS, await readFile(new URL('page.css', SOURCE)))],
  ['/favicon.svg', async () => fileOf(SVG, await readFile(new URL('favicon.svg', SOURCE)))],
  ['/uplot.js', () => fromUplot('uPlot.iife.min.js', SCRIPT)],
  ['/uplot.css', () => fromUplot('uPlot.min.css', CSS)],
  ...PAGE_MODULES.map((name): [string, Reader] => [
    `/app/${name}${EXTENSION}`,
    async () => fileOf(SCRIPT, scriptOf(await readFile(new URL(name + EXTENSION, CODE), 'utf8'))),
  ]),
])

async function fromUplot(name: string, contentType: string): Promise<PageFile> {
  const path = createRequire(import.meta.url).resolve(`uplot/dist/${name}`)
  return fileOf(contentType, await readFile(path))
}

/** No text in these modules is of several lines, so that what begins a line is code or comment. */
function scriptOf(text: string): string {
  const plain = EXTENSION === '.ts' ? stripped(text) : text
  return plain.replaceAll(COMMENT, '').replaceAll(MARGIN, '')
}

/** As Node itself does with its modules. Calling it by name is marked as experimental: no news. */
function stripped(text: string): string {
  const { emitWarning } = process
  process.emitWarning = () => undefined
  try {
    return module.stripTypeScriptTypes(text)
  } finally {
    process.emitWarning = emitWarning
  }
}

function fileOf(contentType: string, content: string | Buffer): PageFile {
  const body = Buffer.from(content)
  const digest = createHash('sha256').update(body).digest('base64url')
  return { contentType, body, etag: `"${digest.slice(0, 22)}"` }
}
