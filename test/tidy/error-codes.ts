import type { Finding, SourceFile } from './source-file.ts'
import { isCode } from './source-file.ts'

export const ERROR_TABLE = 'src/base/ERRORS.md'

const LITERAL = /['"`](ERR_[A-Z0-9_]+)['"`]/g
const ROW = /^\| (ERR_[A-Z0-9_]+) \|/

/** Codes that Node and its TLS raise; ours are those of the table. */
const NODE_CODES = new Set([
  'ERR_HTTP2_STREAM_CANCEL',
  'ERR_INVALID_ARG_TYPE',
  'ERR_INVALID_STATE',
  'ERR_IPC_CHANNEL_CLOSED',
  'ERR_SERVER_NOT_RUNNING',
  'ERR_SOCKET_CLOSED',
  'ERR_SOCKET_DGRAM_NOT_RUNNING',
  'ERR_STREAM_DESTROYED',
  'ERR_STREAM_PREMATURE_CLOSE',
  'ERR_STREAM_WRITE_AFTER_END',
  'ERR_TLS_CERT_ALTNAME_INVALID',
])

/** Every code that src uses has a row, every row has a user, and rows are sorted. */
export function errorCodes(files: readonly SourceFile[]): Finding[] {
  const table = files.find(({ path }) => path === ERROR_TABLE)
  const rows = (table?.text ?? '').split('\n').flatMap((line) => ROW.exec(line)?.[1] ?? [])
  const used = new Set<string>()
  const findings: Finding[] = []
  for (const file of files) {
    if (!file.path.startsWith('src/') || !isCode(file)) continue
    for (const match of file.text.matchAll(LITERAL)) {
      const code = match[1] ?? ''
      if (NODE_CODES.has(code)) continue
      used.add(code)
      if (rows.includes(code)) continue
      const line = file.text.slice(0, match.index).split('\n').length
      findings.push({ path: file.path, line, message: `${code} has no row in ${ERROR_TABLE}` })
    }
  }
  for (const code of rows.filter((row) => !used.has(row))) {
    findings.push({ path: ERROR_TABLE, message: `${code} is nowhere in src` })
  }
  if (rows.join() !== [...rows].sort().join()) {
    findings.push({ path: ERROR_TABLE, message: 'the rows are not sorted by code' })
  }
  return findings
}
