import type { Finding, SourceFile } from './source-file.ts'
import { eachLine, isCode } from './source-file.ts'

export const FILE_LINES_MAX = 400
/** A test file has one subject, and many cases of it. */
const TEST_LINES_MAX = 500
export const LINE_COLUMNS_MAX = 100

export function fileSize(file: SourceFile): Finding[] {
  const lines = file.text.trimEnd().split('\n').length
  const most = file.path.startsWith('test/') ? TEST_LINES_MAX : FILE_LINES_MAX
  if (!isCode(file) || lines <= most) return []
  return [{ path: file.path, message: `${lines} lines, at most ${most}` }]
}

/** An address cannot be broken over lines. */
export function lineLength(file: SourceFile): Finding[] {
  if (!isCode(file) || !/^(src|test)\//.test(file.path)) return []
  return eachLine(file, (line) => {
    const columns = [...line].length
    if (columns <= LINE_COLUMNS_MAX || /https?:\/\//.test(line)) return undefined
    return `${columns} columns, at most ${LINE_COLUMNS_MAX}`
  })
}
