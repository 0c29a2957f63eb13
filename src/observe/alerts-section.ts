import { isLoopback } from '../base/loopback.ts'
import { Secret } from '../base/secret.ts'
import * as field from '../config/fields.ts'
import { certFile } from '../config/gateway-template.ts'
import type { ConfigSection, SectionContext } from '../config/section.ts'

/** Where problems are posted to. */
export interface WebhookConfig {
  /** All of it: path and query may hold a token. */
  readonly url: Secret
  /** As much of it as may be shown: `https://alerts.example.net`. */
  readonly origin: string
  /** Value of the header; null: none is sent. */
  readonly authorization: Secret | null
  /** Who signed the receiver's certificate; null: the authorities that Node trusts. */
  readonly caPem: string | null
  /** So long a problem must last before it is told, and be gone before that is told. */
  readonly holdOffMs: number
  /** What still fires is told again. */
  readonly repeatMs: number
}

export interface AlertsConfig {
  readonly webhook: WebhookConfig | null
}

const webhookSchema = field.mapping({
  url: field.text('must be an http or https URL').optional(),
  urlFile: field.path.optional(),
  bearerFile: field.path.optional(),
  user: field.text('must be the name of a user').optional(),
  ...field.passwordFields,
  ca: field.path.optional(),
  holdOff: field.durationMs.prefault('30s'),
  repeat: field.durationMs
    .refine((value) => value >= 60_000, { error: 'must be at least 1m' })
    .prefault('4h'),
})

const schema = field.mapping({ webhook: webhookSchema.optional() })
const WHERE = 'alerts.webhook'

type Raw = NonNullable<ReturnType<typeof webhookSchema.parse>>

export const alertsSection: ConfigSection<AlertsConfig> = {
  async load(raw, context) {
    const section = context.problems.parse(schema, raw ?? {}, ['alerts'])
    if (section === null) return undefined
    if (section.webhook === undefined) return { webhook: null }
    const webhook = await loadWebhook(section.webhook, context)
    return webhook === null ? undefined : { webhook }
  },

  template(gateway) {
    return [
      '# alerts:                        # for those who have no Prometheus: gateway/README.md',
      '#   webhook:                     # posts what Alertmanager would',
      '#     url: https://alerts.example.net/landbridge',
      `#     bearerFile: ${certFile(gateway, 'webhook.token')}`,
    ]
  },
}

async function loadWebhook(
  section: Raw,
  { files, problems }: SectionContext,
): Promise<WebhookConfig | null> {
  const before = problems.list.length
  const url = await urlOf(section, { files, problems })
  const authorization = await authorizationOf(section, { files, problems })
  const { ca, holdOff: holdOffMs, repeat: repeatMs } = section
  const caPem = ca === undefined ? null : await files.pem(`${WHERE}.ca`, ca, 'CERTIFICATE')
  if (url !== null) {
    const { protocol, hostname } = url
    const isOpen = protocol === 'http:' && !isLoopback(hostname.replace(/^\[|\]$/g, ''))
    if (isOpen && authorization !== null) {
      problems.add(WHERE, `would send a secret to ${hostname} without TLS; use an https URL`)
    }
    if (protocol === 'http:' && ca !== undefined) {
      problems.add(`${WHERE}.ca`, 'has no effect with an http URL; remove one of them')
    }
  }
  if (url === null || problems.list.length > before) return null
  const { href, origin } = url
  return { url: new Secret(href), origin, authorization, caPem, holdOffMs, repeatMs }
}

type Context = Pick<SectionContext, 'files' | 'problems'>

/** Nothing of the URL is ever said: a token may be anywhere in it. */
async function urlOf({ url, urlFile }: Raw, { files, problems }: Context): Promise<URL | null> {
  if ((url === undefined) === (urlFile === undefined)) {
    const found = url === undefined ? 'has no URL' : 'has two URLs'
    problems.add(WHERE, `${found}; set one of url and urlFile`)
    return null
  }
  const where = `${WHERE}.${url === undefined ? 'urlFile' : 'url'}`
  const text = url ?? (await files.secret(where, urlFile ?? ''))?.reveal().trim()
  if (text === undefined) return null
  const parsed = URL.parse(text)
  if (parsed === null || !/^https?:$/.test(parsed.protocol)) {
    problems.add(where, 'must be an http or https URL')
    return null
  }
  if (parsed.username === '' && parsed.password === '') return parsed
  problems.add(where, 'has a password in it; use user with passwordFile, or bearerFile')
  return null
}

async function authorizationOf(
  { bearerFile, user, passwordFile, passwordEnv }: Raw,
  { files, problems }: Context,
): Promise<Secret | null> {
  const hasPassword = passwordFile !== undefined || passwordEnv !== undefined
  if (bearerFile !== undefined && (user !== undefined || hasPassword)) {
    problems.add(WHERE, 'has two secrets; set one of bearerFile and user with a password')
    return null
  }
  if (bearerFile !== undefined) {
    const where = `${WHERE}.bearerFile`
    const token = (await files.secret(where, bearerFile))?.reveal()
    if (token === undefined) return null
    if (/^[\x21-\x7e]+$/.test(token)) return new Secret(`Bearer ${token}`)
    problems.add(where, 'holds no token: one line of printable ASCII without spaces')
    return null
  }
  if (user === undefined && !hasPassword) return null
  if (user === undefined) {
    problems.add(`${WHERE}.user`, 'is missing; a password needs one')
    return null
  }
  const password = await files.password(WHERE, {
    ...(passwordFile !== undefined && { passwordFile }),
    ...(passwordEnv !== undefined && { passwordEnv }),
  })
  if (password === null) return null
  const pair = Buffer.from(`${user}:${password.reveal()}`).toString('base64')
  return new Secret(`Basic ${pair}`)
}
