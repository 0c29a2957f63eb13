import { readFile } from 'node:fs/promises'
import { type Document, LineCounter, parseDocument } from 'yaml'
import { deniedRemedy, isDenied } from '../base/denied.ts'
import { codeOf } from '../base/errors.ts'
import type { Problems } from './problem.ts'
import { YAML_WORDS } from './yaml-words.ts'

const FILE_BYTES_MAX = 2 ** 20
const ALIASES_MAX = 10

/** What the file says, or undefined after its problems have been added. */
export async function readYaml(path: string, problems: Problems): Promise<unknown> {
  let content: Buffer
  try {
    content = await readFile(path)
  } catch (error) {
    problems.add('', `cannot be read (${codeOf(error)}); ${unreadable(path, codeOf(error))}`)
    return undefined
  }
  if (content.length > FILE_BYTES_MAX) {
    problems.add('', `is ${content.length} bytes long; a file of settings is at most 1MiB`)
    return undefined
  }
  const lineCounter = new LineCounter()
  // prettyErrors would quote the lines around a mistake, and one of them may hold a secret.
  // Odd keys and the like are judged by the schemas; the parser would print its own warnings.
  const options = { lineCounter, prettyErrors: false, logLevel: 'error' } as const
  const document = parseDocument(content.toString('utf8'), options)
  if (document.errors.length === 0) return toPlain(document, problems)
  for (const error of document.errors) {
    const { line, col } = lineCounter.linePos(error.pos[0])
    problems.add('', `line ${line}, column ${col}: ${YAML_WORDS[error.code]}`)
  }
  return undefined
}

function unreadable(path: string, code: string): string {
  if (isDenied(code)) return deniedRemedy(path, 'read')
  if (code === 'EISDIR') return 'it is a folder; name the file in it'
  return 'create it with `landbridge init`'
}

/** An empty file is an empty mapping, so that the missing settings get named. */
function toPlain(document: Document, problems: Problems): unknown {
  try {
    return document.toJS({ maxAliasCount: ALIASES_MAX }) ?? {}
  } catch (error) {
    // An alias without its anchor, or so many of them that the file would become huge.
    if (!(error instanceof ReferenceError)) throw error
    problems.add('', 'has aliases (*name) without an anchor (&name), or too many; write them out')
    return undefined
  }
}
