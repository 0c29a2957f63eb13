import { z } from 'zod'
import { type GatewayStatus, LIMITERS, STATUS_SCHEMA } from './status.ts'
import { termRecordSchema } from './term-record.ts'

/*
 * The types of status.ts, for whoever checks a status at run time and for those who read it in
 * another language: status.schema.json beside this file is made from it. The compiler sees to it
 * that both say the same, field by field.
 */

const number = z.number()
const count = z.int().nonnegative()
const text = z.string()
const known = number.nullable()

const problem = z.object({
  code: text.describe('An error code of ERRORS.md'),
  severity: z.enum(['warning', 'error', 'blocked']),
  where: text.describe('Which station, such as tunnel, link:azure or spool:main'),
  message: text,
  remedy: text.exactOptional(),
  sinceMs: number,
})

const verdict = z.object({
  question: z.enum(['tunnel', 'lag', 'loss', 'failover']),
  stream: text.nullable().describe('Null where it is about no stream, or there is only one'),
  mood: z.enum(['good', 'warn', 'bad']),
  answer: text,
})

const tunnelPeerState = z.enum(['up', 'stale', 'never', 'down', 'external'])

const tunnel = z.object({
  state: tunnelPeerState,
  backend: z.enum(['kernel', 'userspace', 'external']),
  interface: text.nullable(),
  localAddress: text.nullable(),
  mtu: known,
  firewall: z
    .object({ inPlace: z.boolean(), accepts: z.array(text), forwards: z.boolean() })
    .nullable(),
  peers: z.array(
    z.object({
      name: text,
      state: tunnelPeerState,
      address: text,
      endpoint: text.nullable(),
      handshakeAgeMs: known,
      heardAgoMs: known,
      receivedBytes: count,
      sentBytes: count,
    }),
  ),
})

const link = z.object({
  state: z.enum(['down', 'greeting', 'up']),
  peer: text,
  role: z.enum(['receiver', 'sender']),
  carries: z.array(text),
  sinceMs: known,
  unsteadySinceMs: known,
  unsteadySessions: count,
  roundTripMs: known,
  clockOffsetMs: known.describe('Clock of the peer minus own'),
  clockDoubtMs: known,
  sessions: count,
  receivedBytes: count,
  sentBytes: count,
  lastError: z
    .object({ code: text, message: text, remedy: text.exactOptional(), atMs: number })
    .nullable(),
})

const position = z.object({
  epoch: known,
  file: text.nullable(),
  offset: known,
  gtids: text,
})

const delayWindow = z
  .object({
    p50Ms: number,
    p95Ms: number,
    p99Ms: number,
    maxMs: number,
    count,
    coveredMs: number,
  })
  .nullable()

const lag = z.object({
  bytes: known,
  transactions: known,
  ms: known,
  uncertaintyMs: known,
  provenAgoMs: known,
  windows: z.object({ minute: delayWindow, quarterHour: delayWindow, day: delayWindow }),
  catchUpMs: known,
})

const exposure = z.object({
  atLeast: z.object({ ms: known, transactions: known, bytes: known }),
  atMost: z.object({ ms: known, transactions: known }),
  isIdle: z.boolean(),
})

const objectiveState = z.object({ state: z.enum(['met', 'breached']), sinceMs: number }).nullable()

const streamState = z.enum(['idle', 'connecting', 'streaming', 'parked', 'blocked'])

const copy = z.object({
  peer: text,
  site: text,
  state: streamState,
  sentBytes: count,
  inFlightBytes: count,
})

const source = z.object({
  host: text.nullable(),
  serverVersion: text.nullable(),
  serverId: known,
  serverUuid: text.nullable(),
  position: position.nullable(),
  connected: z.boolean(),
  heardAgoMs: known,
})

const spool = z.object({
  directory: text,
  synced: position.nullable(),
  files: count,
  bytes: count,
  oldestFile: text.nullable(),
  room: z.object({ freeBytes: count, totalBytes: count }).nullable(),
  syncs: z.object({
    count,
    sumMs: number,
    maxMs: known,
    buckets: z.array(z.object({ upToMs: number, count })),
  }),
  epochs: count,
  resets: count,
  claims: z.array(
    z.object({
      claim: text,
      kind: z.enum(['replica', 'reader', 'backup', 'follower']),
      file: text.nullable(),
      bytes: count,
      ageMs: number,
    }),
  ),
})

const replica = z.object({
  serverId: number,
  serverUuid: text.nullable(),
  address: text,
  state: z.enum(['greeting', 'streaming', 'caught-up', 'disconnected']),
  sent: z.object({ epoch: number, file: text, offset: number }).nullable(),
  retainsFile: text.nullable(),
  appliedGtids: text.nullable(),
  applyLag: lag.nullable(),
  applyError: text.nullable(),
  delaySeconds: known,
  remainingDelaySeconds: known,
  filters: z.array(text).nullable(),
  leftOut: text.nullable(),
  unlogged: text.nullable(),
})

const throttle = z.object({
  bytesPerSecond: known,
  by: z.enum(LIMITERS).nullable(),
  reason: text.nullable(),
  sinceMs: known,
  untilMs: known,
  measuredBytesPerSecond: number,
  waitingBytes: count,
})

const stream = z.object({
  name: text,
  role: z.enum(['origin', 'copy']),
  term: termRecordSchema,
  flavor: z.enum(['mysql', 'mariadb']).nullable(),
  state: streamState,
  peer: text.nullable(),
  copies: z.array(copy),
  source,
  spool: spool.nullable().describe('At a copy: what is held'),
  receiveLag: lag.nullable().describe('At a copy: source to synced'),
  exposure: exposure.nullable().describe('At a copy: what a loss of the origin now would cost'),
  objective: z.object({ maxMs: known, exposure: objectiveState, apply: objectiveState }),
  rates: z.object({ transactionsPerSecond: number, bytesPerSecond: number }).nullable(),
  transactionsReceived: count,
  bytesReceived: count,
  receivedAgoMs: known,
  throttle,
  pausedAgoMs: known,
  replicas: z.array(replica),
})

export const statusSchema = z
  .object({
    schema: z.literal(STATUS_SCHEMA),
    name: text,
    site: text,
    version: text,
    pid: count,
    startedAtMs: number,
    nowMs: number,
    state: z.enum(['ok', 'degraded', 'blocked']),
    problems: z.array(problem),
    verdicts: z.array(verdict),
    tunnel,
    links: z.array(link),
    streams: z.array(stream),
    refused: z.array(z.object({ where: text, reason: text, connections: count })),
  })
  .describe(
    'What a gateway says of itself: GET /v1/status on its admin socket, and status --json. ' +
      'Times are milliseconds since 1970 by its clock, ages and lags milliseconds. Fields may ' +
      'be added at any time; `schema` is raised when one changes its meaning or goes away.',
  )

/** Mutable as zod's types are, however deep. */
type Plain<Value> = Value extends object
  ? { -readonly [Key in keyof Value]: Plain<Value[Key]> }
  : Value
type Same<One, Other> =
  (<Any>() => Any extends One ? 1 : 2) extends <Any>() => Any extends Other ? 1 : 2 ? true : false

/** Does not compile when a field is missing here, is too many, or is of another type. */
export const SCHEMA_IS_TYPE: Same<Plain<z.output<typeof statusSchema>>, Plain<GatewayStatus>> = true

/** The JSON Schema that the package holds. It lets fields be that are not in it. */
export function statusJsonSchema(): Record<string, unknown> {
  return z.toJSONSchema(statusSchema, { io: 'input' })
}
