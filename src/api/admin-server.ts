import { chmod, mkdir, unlink } from 'node:fs/promises'
import { connect } from 'node:net'
import { dirname } from 'node:path'
import { ignoreMissing } from '../base/atomic-file.ts'
import { deniedRemedy, isDenied } from '../base/denied.ts'
import { codeOf, LandbridgeError } from '../base/errors.ts'
import { untilAborted } from '../base/until-aborted.ts'
import {
  type HttpAnswer,
  type HttpDeletes,
  type HttpRoutes,
  HttpService,
  jsonAnswer,
  metricsAnswer,
} from '../observe/http-service.ts'
import { healthOf } from '../status/health.ts'
import type { GatewayStatus } from '../status/status.ts'
import { operateSocket } from './socket-list.ts'

export interface AdminServerOptions {
  readonly socketPath: string
  readonly status: () => GatewayStatus
  /** The body of `GET /metrics`. */
  readonly metrics: () => Promise<string>
  /** By stream: lets go of what a replica needs; false when nothing was kept for it. */
  readonly releaseReplica?: Readonly<Record<string, Release>>
}

type Release = (replica: string) => Promise<boolean>

/** The kernel's limit of a socket's path, without the closing NUL byte. */
const PATH_BYTES_MAX = 107
/** The group of the gateway's user is for people on call: they may read. */
const READ_MODE = 0o660
/** The gateway's user, and root. */
const OPERATE_MODE = 0o600

/**
 * HTTP over two Unix sockets; who may ask is decided by the permissions of the files. The first
 * (0660) reads, the second (0600, NAME.operate.sock) changes something as well:
 *
 *     GET /v1/status   GatewayStatus
 *     GET /v1/health   200 when data flows, else 503; with the reasons
 *     GET /v1/live     200 as long as the process answers
 *     GET /metrics     Prometheus text
 *     DELETE /v1/streams/NAME/replicas/ID   200 when files were kept for it, else 404
 *                      (403 on the first socket)
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
    const { socketPath, status, metrics } = this.#options
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
    }
    const operating = new HttpService(routes, this.#deletes(released))
    const forbidden = jsonAnswer({ error: `this socket only reads; ask ${operatePath}` }, 403)
    const reading = new HttpService(
      routes,
      this.#deletes(async () => forbidden),
    )
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

  #deletes(answer: (release: Release, replica: string) => Promise<HttpAnswer>): HttpDeletes {
    const streams = Object.entries(this.#options.releaseReplica ?? {})
    return Object.fromEntries(
      streams.map(([name, release]) => [
        `/v1/streams/${encodeURIComponent(name)}/replicas`,
        (replica: string) => answer(release, replica),
      ]),
    )
  }
}

async function released(release: Release, replica: string): Promise<HttpAnswer> {
  const isReleased = await release(replica)
  return jsonAnswer({ released: isReleased }, isReleased ? 200 : 404)
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
