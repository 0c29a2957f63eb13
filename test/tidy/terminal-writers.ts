import type { Finding, SourceFile } from './source-file.ts'
import { eachLine } from './source-file.ts'

/** They make plain what they write. */
const WRITERS = new Set(['src/cli/terminal/terminal.ts', 'src/observe/log.ts'])
const STREAM = /\bprocess\.(?:stdout|stderr)\b|\bconsole\./

/** Texts of others reach a terminal through a writer that lets nothing command it. */
export function terminalWriters(file: SourceFile): Finding[] {
  if (!/^src\/.+\.ts$/.test(file.path) || WRITERS.has(file.path)) return []
  return eachLine(file, (line) =>
    STREAM.test(line)
      ? 'writes past src/cli/terminal/terminal.ts, which makes texts plain'
      : undefined,
  )
}
