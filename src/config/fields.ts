import { z } from 'zod'
import {
  type HostPort,
  isHost,
  isPort,
  parseHostPort,
  parseSubnetAddress,
  parseTransportPort,
} from './address.ts'
import { parseBytes, parseDurationMs } from './quantity.ts'

/*
 * The kinds of settings from which the sections of a gateway file are made. Every message continues
 * the sentence "<path>: <value> ...".
 */

export const SERVER_ID_MAX = 4_294_967_295

/** A setting whose text stands for something else; `parse` returns null for what it is not. */
export function converted<Value>(parse: (raw: unknown) => Value | null, error: string) {
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

/** Settings by name, and no others. */
export function mapping<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  return z.strictObject(shape, {
    error: (issue) => (issue.code === 'invalid_type' ? 'must be a mapping of settings' : undefined),
  })
}

export const text = (error: string) => z.string({ error }).min(1, { error })

export const choice = <const Values extends readonly [string, ...string[]]>(values: Values) =>
  z.enum(values, { error: `must be one of: ${values.join(', ')}` })

export const flag = z.boolean({ error: 'must be true or false' })

export const integer = (low: number, high: number) => {
  const error = `must be a whole number from ${low} to ${high}`
  return z.int({ error }).min(low, { error }).max(high, { error })
}

const NAME_RULE = 'must be 1 to 63 of a-z, 0-9 and -, starting with a letter or digit'
/** Of a gateway, a site, a stream. */
export const name = z
  .string({ error: NAME_RULE })
  .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, { error: NAME_RULE })

export const path = text('must be the path of a file')
export const folder = text('must be the path of a folder')

export const host = converted(
  ofString((value) => (isHost(value) ? value : null)),
  'must be a host name or an IP address',
)

const PORT_RULE = 'must be a port from 1 to 65535'
export const port = z.number({ error: PORT_RULE }).refine(isPort, { error: PORT_RULE })

export const transportPort = converted(
  parseTransportPort,
  'must be a TCP port such as 9100, or udp/161',
)

export const hostPort = converted<HostPort>(
  ofString(parseHostPort),
  'must be HOST:PORT, such as 203.0.113.20:3307 or [2001:db8::1]:3307',
)

export const subnetAddress = converted(
  ofString(parseSubnetAddress),
  'must be an address with its prefix length, such as 10.77.0.1/30',
)

export const bytes = converted(parseBytes, 'must be a size such as 16MiB or 50MB')

export const durationMs = converted(
  parseDurationMs,
  'must be a duration with its unit, such as 7d or 30s',
)

export const serverId = integer(1, SERVER_ID_MAX)

const FINGERPRINT_RULE = 'must be sha256: and 64 hex digits'
/** Of a public key: `sha256:` and the hex SHA-256 of its SubjectPublicKeyInfo DER. */
export const fingerprint = z
  .string({ error: FINGERPRINT_RULE })
  .regex(/^sha256:[0-9a-f]{64}$/, { error: FINGERPRINT_RULE })

/** Where a password is; see `ConfigFiles.password`. */
export const passwordFields = {
  passwordFile: path.optional(),
  passwordEnv: text('must be the name of an environment variable').optional(),
}
