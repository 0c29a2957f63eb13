import { type IncomingMessage, request } from 'node:http'
import { z } from 'zod'
import { deniedRemedy, isDenied } from '../base/denied.ts'
import { codeOf, LandbridgeError } from '../base/errors.ts'
import { PERMISSIONS, type Permission } from '../base/permission.ts'
import { type GatewayStatus, STATUS_SCHEMA } from '../status/status.ts'
import { operateSocket } from './socket-list.ts'

export interface FetchOptions {
  readonly signal?: AbortSignal
  readonly timeoutMs?: number
}

const SILENT_MS_MAX = 60_000
const LIST_MS_MAX = 5_000
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
    const text = await textOf(response)
    return statusIn(jsonOrNull(text), `${socketPath} (HTTP ${response.statusCode ?? 0})`)
  } catch (error) {
    signal?.throwIfAborted()
    if (error instanceof LandbridgeError) throw error
    throw explain(socketPath, timeout.aborted, error)
  }
}

/** The status of a peer, asked through the gateway at `socketPath`. Throws as `callOperation`. */
export async function fetchPeerStatus(
  socketPath: string,
  peer: string,
  { signal, silentMsMax }: Pick<CallOptions, 'signal' | 'silentMsMax'>,
): Promise<GatewayStatus> {
  const operation = { name: 'status', permission: 'read' } as const
  const asked = { signal, peer, ...(silentMsMax !== undefined && { silentMsMax }) }
  return statusIn(await callOperation<unknown>(socketPath, operation, {}, asked), `gateway ${peer}`)
}

export interface OperationFacts {
  readonly name: string
  readonly summary: string
  readonly permission: Permission
}

/** `GET /v1/operations`. Throws as `fetchStatus` does. */
export async function fetchOperations(
  socketPath: string,
  signal: AbortSignal,
): Promise<readonly OperationFacts[]> {
  const timeout = AbortSignal.timeout(LIST_MS_MAX)
  const either = AbortSignal.any([signal, timeout])
  try {
    const response = await ask('GET', { socketPath, path: '/v1/operations', signal: either })
    const text = await textOf(response)
    const { data } = z.array(factsSchema).safeParse(jsonOrNull(text))
    if (response.statusCode === 200 && data !== undefined) return data
    throw failureOf(null, response.statusCode ?? 0)
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof LandbridgeError) throw error
    throw explain(socketPath, timeout.aborted, error)
  }
}

const factsSchema = z.looseObject({
  name: z.string(),
  summary: z.string(),
  permission: z.enum(PERMISSIONS),
})

export interface CallOptions {
  readonly signal: AbortSignal
  /** Without an answer, or a step, for so long it is given up. Default: 60 s. */
  readonly silentMsMax?: number
  readonly onProgress?: (step: string) => void
  /** Name of another gateway, which is asked through this one. */
  readonly peer?: string
}

/**
 * `POST /v1/operations/NAME`. `readSocketPath`: the gateway's admin socket; what changes something
 * is asked of the one beside it. Throws as `fetchStatus` does, and what the operation failed with.
 */
export async function callOperation<Output>(
  readSocketPath: string,
  operation: { readonly name: string; readonly permission: Permission },
  input: object,
  { signal, silentMsMax = SILENT_MS_MAX, onProgress = () => undefined, peer }: CallOptions,
): Promise<Output> {
  const isRead = operation.permission === 'read'
  const socketPath = isRead ? readSocketPath : operateSocket(readSocketPath)
  const silence = new AbortController()
  const timer = setTimeout(() => silence.abort(), silentMsMax)
  const either = AbortSignal.any([signal, silence.signal])
  try {
    const at = peer === undefined ? '' : `/peers/${encodeURIComponent(peer)}`
    const path = `/v1${at}/operations/${operation.name}`
    const response = await ask('POST', { socketPath, path, signal: either, input })
    for await (const line of linesOf(response)) {
      timer.refresh()
      if ('output' in line) return line.output as Output
      if ('error' in line) throw failureOf(line.error, response.statusCode ?? 0)
      if (typeof line.progress === 'string') onProgress(line.progress)
    }
    throw new LandbridgeError('ERR_GATEWAY_ANSWER', `${socketPath} broke off its answer`, {
      remedy: 'Look at the log of the gateway.',
    })
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof LandbridgeError) throw error
    throw explain(socketPath, silence.signal.aborted, error)
  } finally {
    clearTimeout(timer)
  }
}

const errorSchema = z.object({
  code: z.string().startsWith('ERR_'),
  message: z.string(),
  remedy: z.string().optional(),
  retryable: z.boolean().optional(),
  details: z.record(z.string(), z.unknown()).optional(),
})

/** What the gateway says went wrong there, as an error here. */
function failureOf(raw: unknown, httpStatus: number): LandbridgeError {
  const { data } = errorSchema.safeParse(raw)
  if (data === undefined) {
    const text = typeof raw === 'string' ? raw : `HTTP ${httpStatus}`
    return new LandbridgeError('ERR_GATEWAY_ANSWER', `the gateway answered: ${text}`, {
      remedy: 'Use the landbridge command of the same version as the gateway.',
    })
  }
  const { code, message, remedy, retryable, details } = data
  return new LandbridgeError(code as `ERR_${string}`, message, {
    ...(remedy !== undefined && { remedy }),
    ...(retryable !== undefined && { retryable }),
    ...(details !== undefined && { details }),
  })
}

async function* linesOf(response: IncomingMessage): AsyncGenerator<Record<string, unknown>> {
  let rest = ''
  let bytes = 0
  for await (const chunk of response.setEncoding('utf8') as AsyncIterable<string>) {
    bytes += chunk.length
    if (bytes > ANSWER_BYTES_MAX) throw tooLong()
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) yield objectOf(line)
  }
  if (rest !== '') yield objectOf(rest)
}

function objectOf(line: string): Record<string, unknown> {
  const value = jsonOrNull(line)
  if (typeof value === 'object' && value !== null) return value as Record<string, unknown>
  return { error: 'something that is no JSON' }
}

function jsonOrNull(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
}

function tooLong(): LandbridgeError {
  return new LandbridgeError('ERR_GATEWAY_ANSWER', `the answer is over ${ANSWER_BYTES_MAX} bytes`)
}

interface Asked {
  readonly socketPath: string
  readonly path: string
  readonly signal: AbortSignal
  readonly input?: object
}

function ask(method: 'GET' | 'POST', { input, ...asked }: Asked): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  const headers = { connection: 'close', ...(input && { accept: 'application/x-ndjson' }) }
  const sent = request({ ...asked, method, headers, host: 'gateway' }, resolve)
  sent.on('error', reject).end(input && JSON.stringify(input))
  return promise
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > ANSWER_BYTES_MAX) throw tooLong()
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

/** The status in an answer of the gateway that `who` names. Throws ERR_GATEWAY_ANSWER. */
function statusIn(answer: unknown, who: string): GatewayStatus {
  const schema = (answer as { schema?: unknown } | null)?.schema
  if (schema === STATUS_SCHEMA) return answer as GatewayStatus
  const message = `${who} answered with schema ${schema ?? 'none'}, not ${STATUS_SCHEMA}`
  throw new LandbridgeError('ERR_GATEWAY_ANSWER', message, {
    remedy: 'Use the landbridge command of the same version as the gateway.',
  })
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
