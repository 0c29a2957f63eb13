import { posix } from 'node:path'
import type { Finding, SourceFile } from './source-file.ts'

const LANGUAGES = ['mysql', 'binlog']
const GROUND = ['status', 'config']
/** They have a section of the configuration each. */
const CONFIGURED = ['keys', 'observe']
const STATIONS = ['source', 'link', 'tunnel', 'spool', 'relay', 'stream']

const BELOW_PROGRESS = ['base', ...LANGUAGES, ...GROUND, ...CONFIGURED]
const BELOW_STATIONS = [...BELOW_PROGRESS, 'progress']
const BELOW_API = [...BELOW_STATIONS, ...STATIONS, 'database']
const BELOW_GATEWAY = [...BELOW_API, 'api']
const BELOW_COMMANDS = [...BELOW_GATEWAY, 'gateway', 'provision']

/** What each folder of src (and each file beside them) may import besides itself. */
export const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  base: [],
  ...Object.fromEntries(LANGUAGES.map((name) => [name, ['base']])),
  ...Object.fromEntries(GROUND.map((name) => [name, ['base', ...LANGUAGES]])),
  ...Object.fromEntries(CONFIGURED.map((name) => [name, ['base', ...LANGUAGES, ...GROUND]])),
  progress: BELOW_PROGRESS,
  // Stations and databases do not import each other: they meet where they are joined.
  ...Object.fromEntries([...STATIONS, 'database'].map((name) => [name, BELOW_STATIONS])),
  api: BELOW_API,
  gateway: BELOW_GATEWAY,
  // What `init` writes, for the commands, the lab and the tests.
  provision: ['base', 'config', 'keys', 'tunnel', 'gateway'],
  lab: BELOW_COMMANDS,
  cli: [...BELOW_COMMANDS, 'lab'],
  // Plain JavaScript that prepares a machine before anything of the rest can run.
  setup: [],
  index: BELOW_GATEWAY.concat('gateway'),
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
