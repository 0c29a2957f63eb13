import { chmod, mkdir, unlink } from 'node:fs/promises'
import { connect } from 'node:net'
import { dirname } from 'node:path'
import { z } from 'zod'
import { ignoreMissing } from '../base/atomic-file.ts'
import { deniedRemedy, isDenied } from '../base/denied.ts'
import {
  codeOf,
  describeError,
  errorFields,
  isLandbridgeError,
  LandbridgeError,
} from '../base/errors.ts'
import { type Operation, type OperationContext, SOCKET_CALLER } from '../base/operation.ts'
import type { Permission } from '../base/permission.ts'
import { untilAborted } from '../base/until-aborted.ts'
import { packageVersion } from '../base/version.ts'
import {
  type HttpAnswer,
  type HttpPost,
  type HttpRoutes,
  HttpService,
  jsonAnswer,
  metricsAnswer,
} from '../observe/http-service.ts'
import { healthOf } from '../status/health.ts'
import type { GatewayStatus } from '../status/status.ts'
import { openApiOf } from './open-api.ts'
import type { OperationRequest, OperationTable } from './operation-table.ts'
import { operateSocket } from './socket-list.ts'

export interface AdminServerOptions {
  readonly socketPath: string
  readonly status: () => GatewayStatus
  /** The body of `GET /metrics`. */
  readonly metrics: () => Promise<string>
  readonly operations: OperationTable
  /** Asks another gateway for one of its operations. */
  readonly askPeer?: AskPeer
}

export type AskPeer = (
  peer: string,
  call: Pick<OperationRequest, 'input' | 'granted'> & { readonly operation: string },
  context: OperationContext,
) => Promise<unknown>

export const OPERATION_PATH = '/v1/operations/'
/** Of this gateway, or of a peer. */
const OPERATION = /^\/v1(?:\/peers\/([^/]+))?\/operations\/([^/]+)$/
const HTTP_STATUS: Readonly<Record<string, number>> = {
  ERR_OPERATION_UNKNOWN: 404,
  ERR_OPERATION_DENIED: 403,
  ERR_OPERATION_INPUT: 400,
  ERR_OPERATION_BUSY: 503,
  ERR_PEER_UNKNOWN: 404,
  ERR_PEER_AWAY: 503,
}

/** The kernel's limit of a socket's path, without the closing NUL byte. */
const PATH_BYTES_MAX = 107
/** The group of the gateway's user is for people on call: they may read. */
const READ_MODE = 0o660
/** The gateway's user, and root. */
const OPERATE_MODE = 0o600

/**
 * HTTP over two Unix sockets; who may ask is decided by the permissions of the files. Whoever may
 * open the first (0660) may read, whoever may open the second (0600, NAME.operate.sock) may do
 * everything:
 *
 *     GET /v1/status             GatewayStatus
 *     GET /v1/health             200 when data flows, else 503; with the reasons
 *     GET /v1/live               200 as long as the process answers
 *     GET /metrics               Prometheus text
 *     GET /v1/operations         name, summary, permission and schemas of every operation
 *     GET /v1/openapi.json       the same as an OpenAPI description
 *     POST /v1/operations/NAME   its input as JSON; answers {"output": ...} or {"error": ...}. With
 *                                `accept: application/x-ndjson`, lines of {"progress": "..."} first
 *     POST /v1/peers/PEER/operations/NAME   the same, of another gateway, over the link
 */
export class AdminServer {
  readonly #options: AdminServerOptions

  constructor(options: AdminServerOptions) {
    this.#options = options
  }

  /**
   * Rejects with ERR_ADMIN_SOCKET or ERR_ADMIN_SOCKET_BUSY; afterwards only stops with `signal`.
   */
  async run(signal: AbortSignal): Promise<void> {
    const { socketPath, status, metrics, operations } = this.#options
    const operatePath = operateSocket(socketPath)
    for (const path of [socketPath, operatePath]) await makeWayFor(path)
    const routes: HttpRoutes = {
      '/v1/status': () => jsonAnswer(status()),
      '/v1/health': () => {
        const health = healthOf(status())
        return jsonAnswer(health, health.healthy ? 200 : 503)
      },
      '/v1/live': () => jsonAnswer({ live: true }),
      '/metrics': async () => metricsAnswer(await metrics()),
      '/v1/operations': () => jsonAnswer(operations.list().map(describeOperation)),
      '/v1/openapi.json': () => jsonAnswer(openApiOf(operations.list(), packageVersion())),
    }
    const operating = new HttpService(routes, (path) => this.#asked(path, 'recover'))
    const reading = new HttpService(routes, (path) => this.#asked(path, 'read'))
    try {
      await listen(operating, operatePath, OPERATE_MODE)
      // Last: who waits for this one finds both.
      await listen(reading, socketPath, READ_MODE)
      await untilAborted(signal)
    } finally {
      // Closing removes the socket files.
      await Promise.all([reading.close(), operating.close()])
    }
  }

  /** Null where the path is of no operation. */
  #asked(path: string, granted: Permission): ((post: HttpPost) => Promise<HttpAnswer>) | null {
    const { operations, askPeer } = this.#options
    const [, peer, name] = OPERATION.exec(path) ?? []
    if (name === undefined || (peer !== undefined && askPeer === undefined)) return null
    return async ({ body, signal, line }) => {
      const progress = (step: string): void => line({ progress: step })
      const asked = { input: body, granted }
      const context = { signal, progress }
      try {
        const output =
          peer === undefined || askPeer === undefined
            ? await operations.call({ name, ...asked, ...context, caller: SOCKET_CALLER })
            : await askPeer(peer, { operation: name, ...asked }, context)
        return jsonAnswer({ output: output ?? null })
      } catch (error) {
        return refusal(error)
      }
    }
  }
}

function refusal(error: unknown): HttpAnswer {
  const { code, remedy } = errorFields(error)
  const details = isLandbridgeError(error) ? error.details : {}
  const retryable = isLandbridgeError(error) && error.retryable
  const told = {
    code,
    message: describeError(error),
    ...(remedy && { remedy }),
    retryable,
    details,
  }
  return jsonAnswer({ error: told }, HTTP_STATUS[code] ?? 500)
}

function describeOperation({ name, summary, permission, input, output }: Operation): object {
  const schemas = { input: z.toJSONSchema(input, { io: 'input' }), output: z.toJSONSchema(output) }
  return { name, summary, permission, ...schemas }
}

/** Removes what a crashed gateway left behind, but never takes the socket from a living one. */
async function makeWayFor(path: string): Promise<void> {
  if (Buffer.byteLength(path) > PATH_BYTES_MAX) {
    throw new LandbridgeError(
      'ERR_ADMIN_SOCKET',
      `admin.socket ${path} is longer than ${PATH_BYTES_MAX} bytes`,
      { remedy: 'Choose a shorter path, such as /run/landbridge/NAME.sock.' },
    )
  }
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o750 })
    if (await isAnswered(path)) {
      throw new LandbridgeError('ERR_ADMIN_SOCKET_BUSY', `another process answers on ${path}`, {
        remedy: 'Stop the other gateway, or give this one another admin.socket.',
      })
    }
    await unlink(path).catch(ignoreMissing)
  } catch (cause) {
    throw cause instanceof LandbridgeError ? cause : cannotOpen(path, cause)
  }
}

function isAnswered(path: string): Promise<boolean> {
  const { promise, resolve, reject } = Promise.withResolvers<boolean>()
  const socket = connect(path)
  socket.once('connect', () => resolve(true))
  socket.once('error', (error) => {
    const code = codeOf(error)
    if (code === 'ENOENT' || code === 'ECONNREFUSED') resolve(false)
    // A full backlog: somebody is there.
    else if (code === 'EAGAIN') resolve(true)
    else reject(error)
  })
  return promise.finally(() => socket.destroy())
}

async function listen(service: HttpService, path: string, mode: number): Promise<void> {
  // The file must not exist for a moment with wider permissions: it is made within this call.
  const umask = process.umask(0o777 & ~mode)
  let listening: Promise<void>
  try {
    listening = service.listen({ path })
  } finally {
    process.umask(umask)
  }
  try {
    await listening
    await chmod(path, mode)
  } catch (cause) {
    throw cannotOpen(path, cause)
  }
}

function cannotOpen(path: string, cause: unknown): LandbridgeError {
  return new LandbridgeError('ERR_ADMIN_SOCKET', `cannot open admin.socket ${path}`, {
    cause,
    remedy: isDenied(codeOf(cause))
      ? `${deniedRemedy(path, 'write')}; or set admin.socket to a folder of its own.`
      : `Make ${dirname(path)} writable for the gateway's user, or set admin.socket.`,
  })
}
