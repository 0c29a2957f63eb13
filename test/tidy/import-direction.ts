import { posix } from 'node:path'
import type { Finding, SourceFile } from './source-file.ts'

const LANGUAGES = ['binlog', 'mysql']
const STATIONS = ['source', 'link', 'tunnel', 'spool', 'relay', 'stream']
const CONTROL_PLANE = ['config', 'keys', 'observe']

const BELOW_STATIONS = ['base', ...LANGUAGES, 'progress']
const BELOW_GATEWAY = [...BELOW_STATIONS, ...STATIONS, ...CONTROL_PLANE]

/** What each folder of src (and each file beside them) may import besides itself. */
export const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  base: [],
  ...Object.fromEntries(LANGUAGES.map((name) => [name, ['base']])),
  progress: ['base', ...LANGUAGES],
  ...Object.fromEntries(STATIONS.map((name) => [name, BELOW_STATIONS])),
  ...Object.fromEntries(CONTROL_PLANE.map((name) => [name, ['base']])),
  // It shows a status that is handed to it: it knows neither the gateway nor the stations.
  admin: [...BELOW_STATIONS, 'observe'],
  gateway: [...BELOW_GATEWAY, 'admin'],
  lab: [...BELOW_GATEWAY, 'gateway', 'admin'],
  cli: [...BELOW_GATEWAY, 'gateway', 'admin', 'lab'],
  index: [...BELOW_GATEWAY, 'gateway', 'admin'],
}

export const IMPORT = /(?:\bfrom|\bimport)\s*\(?\s*['"](\.[^'"]+)['"]/g

/** `spool` for src/spool/writer.ts, `gateway` for src/gateway.ts. */
function partOf(path: string): string | undefined {
  return /^src\/([^/.]+)/.exec(path)?.[1]
}

/** Imports go one way: from the commands down to base, and never from station to station. */
export function importDirection({ path, text }: SourceFile): Finding[] {
  const from = partOf(path)
  if (from === undefined) return []
  const allowed = MAY_IMPORT[from]
  if (allowed === undefined) return [{ path, message: `src/${from} has no place in the layers` }]
  return [...text.matchAll(IMPORT)].flatMap((match) => {
    const target = posix.join(posix.dirname(path), match[1] ?? '')
    const to = partOf(target)
    // package.json is nobody's layer; anything else outside src belongs to the tests.
    if (to === from || target === 'package.json') return []
    if (to !== undefined && allowed.includes(to)) return []
    const line = text.slice(0, match.index).split('\n').length
    return [{ path, line, message: `${from} must not import ${to ?? target}` }]
  })
}
