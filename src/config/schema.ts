import { z } from 'zod'
import { isLoopback } from '../base/loopback.ts'
import { PERMISSIONS } from '../base/permission.ts'
import { isHost, isPort, parseHostPort, parseSubnetAddress, parseTransportPort } from './address.ts'
import { parseBytes, parseDurationMs } from './quantity.ts'

/*
 * Shapes of the sections of a gateway file and of a peer file. Each section is parsed by itself, so
 * that a mistake in one does not hide those in the others. Every message continues the sentence
 * "<path>: <value> ...".
 */

/** The link sends frames of at most 1 MiB; below two of them it would stop and go. */
export const WINDOW_BYTES_MIN = 2 * 2 ** 20
const WINDOW_BYTES_MAX = 2 ** 30
/** Each costs a session in each direction; a userspace WireGuard is asked for 64 at most. */
const PEERS_MAX = 32
export const SERVER_ID_MAX = 4_294_967_295

function converted<Value>(parse: (raw: unknown) => Value | null, error: string) {
  return z.unknown().transform((raw, context): Value => {
    const value = raw === undefined ? null : parse(raw)
    if (value !== null) return value
    context.addIssue({ code: 'custom', message: error })
    return z.NEVER
  })
}

const ofString =
  <Value>(parse: (text: string) => Value | null) =>
  (raw: unknown): Value | null =>
    typeof raw === 'string' ? parse(raw) : null

const text = (error: string) => z.string({ error }).min(1, { error })
const choice = <const Values extends readonly [string, ...string[]]>(values: Values) =>
  z.enum(values, { error: `must be one of: ${values.join(', ')}` })
const flag = z.boolean({ error: 'must be true or false' })
const whole = (low: number, high: number) => {
  const error = `must be a whole number from ${low} to ${high}`
  return z.int({ error }).min(low, { error }).max(high, { error })
}

const NAME_RULE = 'must be 1 to 63 of a-z, 0-9 and -, starting with a letter or digit'
export const nameSchema = z
  .string({ error: NAME_RULE })
  .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, { error: NAME_RULE })
const path = text('must be the path of a file')
const host = converted(
  ofString((value) => (isHost(value) ? value : null)),
  'must be a host name or an IP address',
)
const port = z
  .number({ error: 'must be a port from 1 to 65535' })
  .refine(isPort, { error: 'must be a port from 1 to 65535' })
const bytes = converted(parseBytes, 'must be a size such as 16MiB or 50MB')
const duration = converted(parseDurationMs, 'must be a duration with its unit, such as 7d or 30s')
const hostPort = converted(
  ofString(parseHostPort),
  'must be HOST:PORT, such as 203.0.113.20:3307 or [2001:db8::1]:3307',
)
const serverId = whole(1, SERVER_ID_MAX)
const passwordFields = {
  passwordFile: path.optional(),
  passwordEnv: text('must be the name of an environment variable').optional(),
}
const section = z.unknown().optional()

export const gatewaySchema = z.strictObject(
  {
    name: nameSchema,
    site: nameSchema,
    dataDir: text('must be the path of a folder'),
    peersFolder: text('must be the path of the folder with the peer files').default('../peers'),
    peers: z
      .array(nameSchema, { error: 'must be a list of the names of gateways' })
      .min(1, { error: 'must name at least one gateway' })
      .max(PEERS_MAX, { error: `must name at most ${PEERS_MAX} gateways` }),
    identity: section,
    tunnel: section,
    link: section,
    streams: z.array(z.unknown(), { error: 'must be a list of streams' }).min(1, {
      error: 'must have at least one stream',
    }),
    admin: section,
    metrics: section,
    log: section,
  },
  {
    error: (issue) => (issue.code === 'invalid_type' ? 'must be a mapping of settings' : undefined),
  },
)

export const identitySchema = mapping({
  wireguardKey: path,
  certificate: path,
  privateKey: path,
  authority: path,
})

const INTERFACE_RULE = 'must be 1 to 15 of A-Z, a-z, 0-9 and _ = + . -'
export const tunnelSchema = mapping({
  interface: z
    .string({ error: INTERFACE_RULE })
    .regex(/^(?!\.{1,2}$)[a-zA-Z0-9_=+.-]{1,15}$/, { error: INTERFACE_RULE })
    .default('lb0'),
  backend: choice(['auto', 'kernel', 'userspace']).default('auto'),
  listenPort: port.default(51_820),
  mtu: whole(1280, 9000).optional(),
  keepaliveSeconds: whole(1, 120).default(25),
  userspaceBinary: z
    .union([text('').transform((one) => [one]), z.array(text('')).min(1)], {
      error: 'must be a program, or a list of a program and its arguments',
    })
    .default(['wireguard-go']),
  allow: z
    .array(converted(parseTransportPort, 'must be a TCP port such as 9100, or udp/161'), {
      error: 'must be a list of ports',
    })
    .default([]),
  forward: flag.default(false),
})

const WINDOW_RULE = 'must be a size from 2MiB (two frames of 1 MiB) to 1GiB'
export const linkSchema = mapping({
  windowBytes: converted((raw) => {
    const value = parseBytes(raw)
    return value !== null && value >= WINDOW_BYTES_MIN && value <= WINDOW_BYTES_MAX ? value : null
  }, WINDOW_RULE).default(16 * 2 ** 20),
  compression: choice(['auto', 'zstd', 'none']).default('auto'),
  pingSeconds: whole(1, 60).default(1),
})

export const streamSchema = mapping({
  name: nameSchema,
  origin: nameSchema,
  database: section,
  throttle: section,
  spool: section,
  relay: section,
})

const FINGERPRINT_RULE = 'must be sha256: and 64 hex digits'
const fingerprint = z
  .string({ error: FINGERPRINT_RULE })
  .regex(/^sha256:[0-9a-f]{64}$/, { error: FINGERPRINT_RULE })

export const databaseTlsSchema = mapping({
  mode: choice(['verify-identity', 'verify-ca', 'pinned', 'unverified', 'off']).optional(),
  ca: path.optional(),
  fingerprint: fingerprint.optional(),
  certificate: path.optional(),
  privateKey: path.optional(),
  allowPasswordWithoutTls: flag.default(false),
})

export const databaseSchema = mapping({
  host,
  port: port.default(3306),
  user: text('must be the name of a database user'),
  ...passwordFields,
  tls: databaseTlsSchema.default({ allowPasswordWithoutTls: false }),
  serverId: serverId.optional(),
  flavor: choice(['auto', 'mysql', 'mariadb']).default('auto'),
})
export const throttleSchema = mapping({
  bytesPerSecond: bytes.refine((value) => value >= 1024, { error: 'must be at least 1KiB' }),
})
/** With less a spool would keep nothing that nobody needs just now: 0 is a mistake, not a wish. */
const RETENTION_BYTES_MIN = 1024
/** Who is away for longer is reseeded anyway. */
const REPLICA_AGE_MS = 7 * 86_400_000
/** Time to notice that a reset of the source was an intruder's, and to copy what is of before. */
const MINIMUM_HOLD_MS = 7 * 86_400_000

export const spoolSchema = mapping({
  directory: text('must be the path of a folder').optional(),
  retention: mapping({
    age: duration.refine((value) => value >= 60_000, { error: 'must be at least 1m' }).optional(),
    size: bytes
      .refine((value) => value >= RETENTION_BYTES_MIN, {
        error: 'must be at least 1KiB; what a replica needs is kept all the same',
      })
      .optional(),
    hardLimit: flag.default(false),
    replicaAge: duration.default(REPLICA_AGE_MS),
    minimumHold: duration.default(MINIMUM_HOLD_MS),
  }).default({
    hardLimit: false,
    replicaAge: REPLICA_AGE_MS,
    minimumHold: MINIMUM_HOLD_MS,
  }),
})
export const relaySchema = mapping({
  listen: hostPort,
  user: text('must be the name that replicas log in with'),
  ...passwordFields,
  certificate: path.optional(),
  privateKey: path.optional(),
  serverId: serverId.optional(),
})
export const adminSchema = mapping({ socket: path })
export const metricsSchema = mapping({
  listen: hostPort.refine(({ host }) => isLoopback(host), {
    error: 'must be on loopback, such as 127.0.0.1:9400: what is served there asks for no login',
  }),
})
export const logSchema = mapping({ level: choice(['debug', 'info', 'warn', 'error']) })

const KEY_RULE = 'must be a WireGuard public key: 44 characters of base64'
export const peerSchema = mapping({
  name: nameSchema,
  site: nameSchema,
  wireguardPublicKey: z
    .string({ error: KEY_RULE })
    .regex(/^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/, { error: KEY_RULE }),
  endpoints: z.array(hostPort, { error: 'must be a list of HOST:PORT' }).default([]),
  tunnelAddress: converted(
    ofString(parseSubnetAddress),
    'must be an address with its prefix length, such as 10.77.0.1/30',
  ),
  linkPort: port.default(7400),
  certificateFingerprint: fingerprint,
  mayTakeOver: flag.default(false),
  permission: choice(PERMISSIONS).default('read'),
})

function mapping<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  return z.strictObject(shape, {
    error: (issue) => (issue.code === 'invalid_type' ? 'must be a mapping of settings' : undefined),
  })
}
