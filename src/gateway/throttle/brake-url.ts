import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { BrakeAnswer } from '../../progress/brake.ts'

const HEADER_BYTES_MAX = 16 * 1024

/**
 * GET: any status of 2xx lets pass, any other brakes, a redirect too. The body is not read.
 * Rejects when nobody answers, or on abort.
 */
export async function askUrl(url: string, signal: AbortSignal): Promise<BrakeAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  const request = url.startsWith('https:') ? httpsRequest : httpRequest
  const asked = request(url, {
    ...{ signal, maxHeaderSize: HEADER_BYTES_MAX },
    headers: { connection: 'close' },
  })
  asked.on('response', resolve)
  asked.on('error', reject)
  asked.end()
  try {
    const { statusCode = 0 } = await promise
    return { brakes: statusCode < 200 || statusCode > 299, text: String(statusCode) }
  } finally {
    asked.destroy()
  }
}

/** Without what may be secret in it. */
export function urlName(url: string): string {
  const { origin, pathname } = new URL(url)
  return `brake ${origin}${pathname}`
}
