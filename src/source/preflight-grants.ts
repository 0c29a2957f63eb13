import type { Flavor } from '../base/flavor.ts'
import { ATTACH_GRANTS, FENCE_GRANT, SOURCE_GRANTS } from '../mysql/grants.ts'
import type { PreflightFinding } from './preflight.ts'
import type { PreflightFacts } from './preflight-facts.ts'

/** Who reads the binary log reads all data anyway; with these it still changes nothing. */
const HARMLESS = new Set([
  'PROCESS',
  'REPLICA MONITOR',
  'REPLICATION MASTER ADMIN',
  'SELECT',
  'SHOW DATABASES',
  'SHOW VIEW',
  'SLAVE MONITOR',
  'USAGE',
])

/** Each of them is enough to make a server read-only, as FENCE_GRANT is. */
const FENCE_INSTEAD: Readonly<Record<Flavor, readonly string[]>> = {
  mysql: ['ALL PRIVILEGES', 'SUPER'],
  mariadb: ['ALL PRIVILEGES'],
}

const SHOWN_MAX = 5

export function* grantFindings(facts: PreflightFacts): Generator<PreflightFinding> {
  const { flavor } = facts.source
  const needed = SOURCE_GRANTS[flavor]
  const { everywhere, all } = privilegesOf(facts.grants)
  const account = quoteAccount(facts.account)
  const grant = (names: readonly string[]) => `GRANT ${names.join(', ')} ON *.* TO ${account}`
  const missing = everywhere.has('ALL PRIVILEGES')
    ? []
    : needed.filter((name) => !everywhere.has(name))
  if (missing.length > 0) {
    yield {
      code: 'ERR_SOURCE_GRANTS',
      severity: 'error',
      message: `the login ${facts.account} lacks ${missing.join(' and ')}`,
      fix: grant(missing),
    }
  }
  const forOtherRoles = [...ATTACH_GRANTS[flavor], FENCE_GRANT[flavor]]
  const known = new Set([...needed, ...HARMLESS, ...forOtherRoles])
  const wide = [...all].filter((name) => !known.has(name))
  if (wide.length > 0) {
    const more = wide.length > SHOWN_MAX ? ` and ${wide.length - SHOWN_MAX} more` : ''
    yield {
      code: 'ERR_SOURCE_GRANTS_WIDE',
      severity: 'warning',
      message:
        `the login ${facts.account} may do more than reading the binary log needs: ` +
        `${wide.slice(0, SHOWN_MAX).join(', ')}${more}`,
      fix: `REVOKE ALL PRIVILEGES, GRANT OPTION FROM ${account}; ${grant(needed)}`,
    }
  }
  if (missing.length > 0 || wide.length > 0) return
  yield {
    code: 'ERR_SOURCE_GRANTS',
    severity: 'ok',
    message: `the login ${facts.account} has what it needs: ${needed.join(', ')}`,
    fix: null,
  }
}

/** What the login lacks to make its database read-only; null: nothing. */
export function fenceGrantLacking(facts: PreflightFacts): string | null {
  const { everywhere } = privilegesOf(facts.grants)
  const { flavor } = facts.source
  const needed = FENCE_GRANT[flavor]
  if ([needed, ...FENCE_INSTEAD[flavor]].some((name) => everywhere.has(name))) return null
  return `GRANT ${needed} ON *.* TO ${quoteAccount(facts.account)}`
}

const STATEMENT = /^GRANT (.+?) ON (.+?) TO /s

/** Roles are left out: where they are active, the server lists what they bring as well. */
function privilegesOf(grants: readonly string[]): {
  readonly everywhere: ReadonlySet<string>
  readonly all: ReadonlySet<string>
} {
  const everywhere = new Set<string>()
  const all = new Set<string>()
  for (const statement of grants) {
    const [, list, object] = STATEMENT.exec(statement) ?? []
    if (list === undefined || list.startsWith('`')) continue
    const columnsRemoved = list.replaceAll(/\s*\([^)]*\)/g, '')
    for (const name of columnsRemoved.split(',').map((part) => part.trim().toUpperCase())) {
      const modern = MARIADB_ALIASES.get(name) ?? name
      all.add(modern)
      if (object === '*.*') everywhere.add(modern)
    }
  }
  // What MySQL's SHOW BINARY LOGS takes instead.
  if (everywhere.has('SUPER')) everywhere.add('REPLICATION CLIENT').add('BINLOG MONITOR')
  return { everywhere, all }
}

const MARIADB_ALIASES: ReadonlyMap<string, string> = new Map([
  ['REPLICATION REPLICA', 'REPLICATION SLAVE'],
  ['REPLICA MONITOR', 'SLAVE MONITOR'],
])

function quoteAccount(account: string): string {
  const at = account.lastIndexOf('@')
  const [user, host] = [account.slice(0, at), account.slice(at + 1)]
  return `'${user.replaceAll("'", "''")}'@'${host.replaceAll("'", "''")}'`
}
