import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** A file of the project; `path` is relative to its root, with forward slashes. */
export interface SourceFile {
  readonly path: string
  readonly text: string
}

/** One broken rule. `line` counts from 1; absent when the file as a whole breaks it. */
export interface Finding {
  readonly path: string
  readonly line?: number
  readonly message: string
}

export function formatFinding({ path, line, message }: Finding): string {
  return `${path}${line === undefined ? '' : `:${line}`}: ${message}`
}

/** The files that git knows or would take, so that build output and node_modules are out. */
export function readProject(root: string): SourceFile[] {
  const list = execFileSync('git', ['ls-files', '-z', '-co', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
  })
  const files: SourceFile[] = []
  for (const path of list.split('\0')) {
    if (path === '' || !existsSync(join(root, path))) continue
    const bytes = readFileSync(join(root, path))
    // Recorded binlogs and the like are bytes, not text.
    if (!bytes.subarray(0, 8000).includes(0)) files.push({ path, text: bytes.toString('utf8') })
  }
  return files
}

export function isCode({ path }: SourceFile): boolean {
  return /\.(ts|mts|mjs|js)$/.test(path)
}

/** A finding for every line that the function has something to say about. */
export function eachLine(
  { path, text }: SourceFile,
  judge: (line: string) => string | undefined,
): Finding[] {
  return text.split('\n').flatMap((content, index) => {
    const message = judge(content)
    return message === undefined ? [] : [{ path, line: index + 1, message }]
  })
}
