import { type IncomingMessage, request } from 'node:http'
import { deniedRemedy, isDenied } from '../base/denied.ts'
import { codeOf, LandbridgeError } from '../base/errors.ts'
import type { GatewayStatus } from '../status/status.ts'
import { operateSocket } from './socket-list.ts'

export interface FetchOptions {
  readonly signal?: AbortSignal
  readonly timeoutMs?: number
}

const RELEASE_MS_MAX = 5_000
const ANSWER_BYTES_MAX = 16 * 1024 * 1024

/**
 * `GET /v1/status`. Throws ERR_GATEWAY_NOT_RUNNING, ERR_GATEWAY_UNREACHABLE or ERR_GATEWAY_ANSWER,
 * and AbortError when `signal` is aborted.
 */
export async function fetchStatus(
  socketPath: string,
  options: FetchOptions = {},
): Promise<GatewayStatus> {
  const { signal, timeoutMs = 5_000 } = options
  const timeout = AbortSignal.timeout(timeoutMs)
  const either = signal === undefined ? timeout : AbortSignal.any([signal, timeout])
  try {
    const response = await ask('GET', { socketPath, path: '/v1/status', signal: either })
    return checkStatus(socketPath, response.statusCode ?? 0, await textOf(response))
  } catch (error) {
    signal?.throwIfAborted()
    if (error instanceof LandbridgeError) throw error
    throw explain(socketPath, timeout.aborted, error)
  }
}

/**
 * Lets the gateway keep no files for a replica any more, which is named by its server_uuid or `id:`
 * and its server_id. False when it kept none. Asks the socket that may change something, beside the
 * one that is given. Throws as `fetchStatus` does.
 */
export async function releaseReplica(
  readSocketPath: string,
  replica: { readonly stream: string; readonly id: string },
  signal: AbortSignal,
): Promise<boolean> {
  const [stream, id] = [replica.stream, replica.id].map(encodeURIComponent)
  const path = `/v1/streams/${stream}/replicas/${id}`
  const socketPath = operateSocket(readSocketPath)
  const timeout = AbortSignal.timeout(RELEASE_MS_MAX)
  const either = AbortSignal.any([signal, timeout])
  try {
    const response = await ask('DELETE', { socketPath, path, signal: either })
    const { statusCode = 0 } = response
    const said = await textOf(response)
    if (statusCode === 200 || statusCode === 404) return statusCode === 200
    throw new LandbridgeError('ERR_GATEWAY_ANSWER', `${socketPath}: HTTP ${statusCode}, ${said}`, {
      remedy: 'Look at the log of the gateway.',
    })
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof LandbridgeError) throw error
    throw explain(socketPath, timeout.aborted, error)
  }
}

interface Asked {
  readonly socketPath: string
  readonly path: string
  readonly signal: AbortSignal
}

function ask(method: 'GET' | 'DELETE', asked: Asked): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  const headers = { connection: 'close' }
  const sent = request({ ...asked, method, headers, host: 'gateway' }, resolve)
  sent.on('error', reject).end()
  return promise
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > ANSWER_BYTES_MAX) {
      throw new LandbridgeError(
        'ERR_GATEWAY_ANSWER',
        `the answer is over ${ANSWER_BYTES_MAX} bytes`,
      )
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

function checkStatus(socketPath: string, httpStatus: number, text: string): GatewayStatus {
  let parsed: unknown = null
  try {
    parsed = JSON.parse(text)
  } catch {
    // Judged below: null is no status either.
  }
  const schema = (parsed as { schema?: unknown } | null)?.schema
  if (httpStatus === 200 && schema === 1) return parsed as GatewayStatus
  throw new LandbridgeError(
    'ERR_GATEWAY_ANSWER',
    `${socketPath} answered with HTTP ${httpStatus} and schema ${schema ?? 'none'}, not 1`,
    { remedy: 'Use the landbridge command of the same version as the gateway.' },
  )
}

function explain(socketPath: string, timedOut: boolean, cause: unknown): LandbridgeError {
  const code = codeOf(cause)
  if (!timedOut && (code === 'ENOENT' || code === 'ECONNREFUSED')) {
    return new LandbridgeError('ERR_GATEWAY_NOT_RUNNING', `no gateway answers on ${socketPath}`, {
      cause,
      retryable: true,
      remedy: 'Start it with `landbridge run --config FILE`, or name its socket with --socket.',
    })
  }
  const denied = isDenied(code)
  const text = timedOut ? 'does not answer in time' : 'cannot be asked'
  return new LandbridgeError('ERR_GATEWAY_UNREACHABLE', `the gateway at ${socketPath} ${text}`, {
    cause: timedOut ? undefined : cause,
    retryable: !denied,
    remedy: denied
      ? `${deniedRemedy(socketPath, 'connect')} The group may read the status, but change nothing.`
      : 'Look at the log of the gateway; it may be overloaded or stopped by a debugger.',
  })
}
