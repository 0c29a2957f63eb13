import type { Secret } from '../base/secret.ts'
import { type SettingsChoice, settingOptions } from './connection-settings.ts'
import type { RelayAddress } from './replica-connection.ts'
import type { ReplicaFacts } from './replica-facts.ts'

/** Where the replica is to connect to, seen from the replica. */
export interface AttachTarget extends RelayAddress {
  readonly host: string
  readonly password: Secret
  /** Path on the replica's machine of the authority to verify the relay with; null for none. */
  readonly caPath: string | null
  /** Whether the relay's certificate names a host: then the name is verified too. */
  readonly isNamed: (host: string) => boolean
}

export interface Statement {
  readonly sql: string
  /** The same without the password. */
  readonly shown: string
}

type Server = Pick<ReplicaFacts, 'flavor' | 'backslashEscapes'>

interface Words {
  readonly start: string
  readonly stop: string
  readonly reset: string
  /** `CHANGE ... TO`, and what follows its options. */
  readonly change: readonly [head: string, tail: string]
}

/** Without a name MySQL would mean all channels, and MariaDB the connection without one. */
function words({ flavor, backslashEscapes }: Server, name: string): Words {
  const quoted = quoteText(name, backslashEscapes)
  if (flavor === 'mysql') {
    const channel = ` FOR CHANNEL ${quoted}`
    return {
      start: `START REPLICA${channel}`,
      stop: `STOP REPLICA${channel}`,
      reset: `RESET REPLICA ALL${channel}`,
      change: ['CHANGE REPLICATION SOURCE TO ', channel],
    }
  }
  const connection = name === '' ? '' : ` ${quoted}`
  return {
    start: `START SLAVE${connection}`,
    stop: `STOP SLAVE${connection}`,
    reset: `RESET SLAVE${connection} ALL`,
    change: [`CHANGE MASTER${connection} TO `, ''],
  }
}

export function startStatements(server: Server, name: string): Statement[] {
  return [plain(words(server, name).start)]
}

/** Ends the connection of that name, and no other. */
export function detachStatements(server: Server, name: string): Statement[] {
  const { stop, reset } = words(server, name)
  return [plain(stop), plain(reset)]
}

export interface AttachOrder {
  readonly target: AttachTarget
  /** Of the connection. */
  readonly name: string
  /** There is a connection of that name, which may run. */
  readonly isThere: boolean
  /** It verifies the relay as it does already, whatever the target says. */
  readonly keepsAuthority: boolean
  readonly settings: SettingsChoice
  /** Names of filters to take back, of those that have a statement of their own. */
  readonly clearedFilters: readonly string[]
}

export function attachStatements(server: Server, order: AttachOrder): Statement[] {
  const { target, name, isThere, clearedFilters } = order
  const { start, stop, change } = words(server, name)
  const changed = (password: string) => change.join(options(server, order, password).join(', '))
  return [
    ...(isThere ? [plain(stop)] : []),
    { sql: changed(target.password.reveal()), shown: changed('********') },
    // Behind CHANGE: before it there may be no connection of that name.
    ...clearedFilters.map((filter) => plain(clearFilter(server, name, filter))),
    plain(start),
  ]
}

function options(server: Server, order: AttachOrder, password: string): string[] {
  const { flavor, backslashEscapes } = server
  const { target, keepsAuthority, settings } = order
  const quote = (text: string) => quoteText(text, backslashEscapes)
  const [prefix, gtid] =
    flavor === 'mysql'
      ? ['SOURCE', 'SOURCE_AUTO_POSITION=1']
      : ['MASTER', 'MASTER_USE_GTID=slave_pos']
  const authority = [
    `${prefix}_SSL_CA=${quote(target.caPath ?? '')}`,
    `${prefix}_SSL_VERIFY_SERVER_CERT=${verifiesName(target) ? 1 : 0}`,
  ]
  return [
    `${prefix}_HOST=${quote(target.host)}`,
    `${prefix}_PORT=${target.port}`,
    `${prefix}_USER=${quote(target.user)}`,
    `${prefix}_PASSWORD=${quote(password)}`,
    gtid,
    `${prefix}_SSL=1`,
    ...(keepsAuthority ? [] : authority),
    ...settingOptions(flavor, settings),
  ]
}

function clearFilter({ flavor, backslashEscapes }: Server, name: string, filter: string): string {
  if (flavor === 'mysql') {
    const channel = quoteText(name, backslashEscapes)
    return `CHANGE REPLICATION FILTER ${filter.toUpperCase()} = () FOR CHANNEL ${channel}`
  }
  const connection = name === '' ? '' : `\`${name.replaceAll('`', '``')}\`.`
  return `SET GLOBAL ${connection}${filter} = ''`
}

function plain(sql: string): Statement {
  return { sql, shown: sql }
}

/** Under NO_BACKSLASH_ESCAPES a backslash is itself. */
function quoteText(text: string, backslashEscapes: boolean): string {
  const escaped = backslashEscapes ? text.replaceAll('\\', '\\\\') : text
  return `'${escaped.replaceAll("'", "''")}'`
}

/** With the authority alone the replica verifies who signed the certificate, not its name. */
function verifiesName({ caPath, isNamed, host }: AttachTarget): boolean {
  return caPath !== null && isNamed(host)
}
