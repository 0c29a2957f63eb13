import { request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { LandbridgeError } from '../base/errors.ts'
import { packageVersion } from '../base/version.ts'
import type { WebhookConfig } from './alerts-section.ts'

export type PostTarget = Pick<WebhookConfig, 'url' | 'origin' | 'authorization' | 'caPem'>

const ANSWER_MS_MAX = 10_000

/**
 * Posts `body` as JSON, once. Settles when the receiver has taken it (a status of 2xx); what it
 * says beyond that is not read, and a redirect is not followed. Throws ERR_WEBHOOK, which names
 * the receiver's origin and nothing else of its URL.
 */
export async function postJson(
  target: PostTarget,
  body: object,
  signal: AbortSignal,
  answerMsMax = ANSWER_MS_MAX,
): Promise<void> {
  const timeout = AbortSignal.timeout(answerMsMax)
  try {
    const status = await statusOf(target, body, AbortSignal.any([signal, timeout]))
    if (status >= 200 && status < 300) return
    const isMoved = status >= 300 && status < 400
    const remedy = isMoved
      ? 'It answers with a redirect, which is not followed: set the URL that it leads to.'
      : 'See that URL and secret of alerts.webhook are those of the receiver, and its log.'
    throw failure(target, `it answers HTTP ${status}`, { remedy })
  } catch (cause) {
    signal.throwIfAborted()
    if (cause instanceof LandbridgeError) throw cause
    const late = `it has not answered for ${answerMsMax / 1000} s`
    const remedy = 'See that the receiver runs, and that this machine reaches it.'
    throw timeout.aborted
      ? failure(target, late, { remedy })
      : failure(target, 'it cannot be reached', { remedy, cause })
  }
}

function failure(
  { origin }: PostTarget,
  why: string,
  options: { readonly remedy: string; readonly cause?: unknown },
): LandbridgeError {
  const message = `cannot post alerts to ${origin}: ${why}`
  return new LandbridgeError('ERR_WEBHOOK', message, { ...options, retryable: true })
}

function statusOf(
  { url, authorization, caPem }: PostTarget,
  body: object,
  signal: AbortSignal,
): Promise<number> {
  const bytes = Buffer.from(JSON.stringify(body))
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  const href = url.reveal()
  const options = {
    method: 'POST',
    signal,
    headers: {
      // Nothing of it stays open for hours.
      connection: 'close',
      'content-type': 'application/json',
      'content-length': bytes.length,
      'user-agent': `landbridge/${packageVersion()}`,
      ...(authorization !== null && { authorization: authorization.reveal() }),
    },
  }
  const sent = href.startsWith('https:')
    ? requestHttps(href, caPem === null ? options : { ...options, ca: caPem })
    : requestHttp(href, options)
  sent.once('response', (response) => {
    resolve(response.statusCode ?? 0)
    // However much it says.
    response.on('error', () => {})
    response.destroy()
  })
  // The rest of a connection that was given up says nothing new.
  sent.on('error', reject)
  sent.end(bytes)
  return promise
}
