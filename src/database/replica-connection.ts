import { connectionFilters } from './replica-filters.ts'

type Row = Readonly<Record<string, unknown>>

/** One source that a replica follows: a channel of MySQL, a named connection of MariaDB. */
export interface ReplicaConnection {
  /** Empty for the one without a name. */
  readonly name: string
  readonly host: string
  readonly port: number
  readonly user: string
  readonly usesGtid: boolean
  /** Path of the authority that it verifies the source with; null when it does not. */
  readonly caPath: string | null
  /** As the source said when this was last connected; null when it never was. */
  readonly sourceServerId: number | null
  readonly sourceUuid: string | null
  readonly receiver: 'running' | 'connecting' | 'stopped'
  readonly applier: 'running' | 'stopped'
  /** The server's own words; null when there is no error. */
  readonly receiverError: string | null
  readonly applierError: string | null
  readonly lagSeconds: number | null
  /** How long it waits on purpose before it applies; 0: not at all. */
  readonly delaySeconds: number
  /** Until it applies what comes next; null when it does not wait just now. */
  readonly remainingDelaySeconds: number | null
  /** Settings by which it leaves out what the source wrote, as `name=value`. */
  readonly filters: readonly string[]
}

/** Where a gateway's relay is, and what it calls itself to those who connect. */
export interface RelayAddress {
  /** As the replica sees it; null when that is not known here. */
  readonly host: string | null
  readonly port: number
  readonly user: string
  /** Null or left out while none was chosen. */
  readonly serverId?: number | null
  readonly serverUuid?: string | null
}

/** Rows of SHOW REPLICA STATUS or of SHOW ALL SLAVES STATUS. */
export function readConnections(rows: readonly Row[]): ReplicaConnection[] {
  const connections = rows.map((row) =>
    'Source_Host' in row
      ? connection(row, 'Source', 'Replica')
      : connection(row, 'Master', 'Slave'),
  )
  // A channel that was reset, or that a cluster keeps for itself, follows no server.
  return connections.filter(({ host }) => host !== '' && host !== '<NULL>')
}

function connection(row: Row, source: string, replica: string): ReplicaConnection {
  const receiver = text(row[`${replica}_IO_Running`])
  return {
    name: text(row.Channel_Name ?? row.Connection_name),
    host: text(row[`${source}_Host`]),
    port: Number(row[`${source}_Port`]),
    user: text(row[`${source}_User`]),
    usesGtid: Number(row.Auto_Position) === 1 || /_pos/i.test(text(row.Using_Gtid)),
    caPath: text(row[`${source}_SSL_CA_File`]) || null,
    sourceServerId: Number(row[`${source}_Server_Id`]) || null,
    sourceUuid: text(row.Source_UUID).toLowerCase() || null,
    receiver: receiver === 'Yes' ? 'running' : receiver === 'No' ? 'stopped' : 'connecting',
    applier: text(row[`${replica}_SQL_Running`]) === 'Yes' ? 'running' : 'stopped',
    receiverError: text(row.Last_IO_Error) || null,
    applierError: text(row.Last_SQL_Error) || null,
    lagSeconds: secondsOf(row[`Seconds_Behind_${source}`]),
    delaySeconds: Number(row.SQL_Delay) || 0,
    remainingDelaySeconds: secondsOf(row.SQL_Remaining_Delay),
    filters: connectionFilters(row),
  }
}

/**
 * The connection that comes from this relay. Whoever was connected has heard what the relay calls
 * itself; before that only the address tells. Where the relay's address, as the replica sees it, is
 * not known either, the likeliest one is taken. Null when there is none; `relay` is null where none
 * is served: then the first one is.
 */
export function findOurs(
  connections: readonly ReplicaConnection[],
  relay: RelayAddress | null,
): ReplicaConnection | null {
  if (relay === null) return connections[0] ?? null
  const ranked = connections
    .map((candidate) => ({ candidate, rank: rankOf(candidate, relay) }))
    .filter(({ rank }) => rank > 0)
  return ranked.sort((left, right) => right.rank - left.rank)[0]?.candidate ?? null
}

/**
 * 0: another source. What the source called itself counts only while the receiver runs: MariaDB
 * still says it of the server before, when the connection was pointed at another one.
 */
function rankOf(candidate: ReplicaConnection, relay: RelayAddress): number {
  const { host, port, user, sourceServerId, sourceUuid } = candidate
  const isNamed =
    (sourceUuid !== null && sourceUuid === relay.serverUuid?.toLowerCase()) ||
    (sourceServerId !== null && sourceServerId === relay.serverId)
  if (isNamed && candidate.receiver === 'running') return 8
  if (user !== relay.user) return 0
  const isPort = port === relay.port
  if (relay.host !== null) return isPort && host === relay.host ? 7 : 0
  const isOther = !isNamed && (sourceServerId !== null || sourceUuid !== null)
  if (isPort) return isOther ? 2 : 4
  // Behind a translated port: only what the relay was called tells, or that nothing else is known.
  if (isNamed) return 3
  return isOther ? 0 : 1
}

/** `10.0.0.1:3306`, with the name where there is one. */
export function describeConnection({ name, host, port }: ReplicaConnection): string {
  const address = `${host.includes(':') ? `[${host}]` : host}:${port}`
  return name === '' ? address : `${address} (${name})`
}

/** Whether it receives and applies. */
export function doesRun({ receiver, applier }: ReplicaConnection): boolean {
  return receiver === 'running' && applier === 'running'
}

/** `receiver running, applier stopped: the server's words`. */
export function threadsOf(connection: ReplicaConnection): string {
  const { receiver, receiverError, applier, applierError } = connection
  const why = (error: string | null) => (error === null ? '' : `: ${error}`)
  return `receiver ${receiver}${why(receiverError)}, applier ${applier}${why(applierError)}`
}

function secondsOf(value: unknown): number | null {
  return value === null || value === undefined ? null : Number(value)
}

function text(value: unknown): string {
  return value === null || value === undefined ? '' : String(value)
}
