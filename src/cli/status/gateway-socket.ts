import { listSockets, SOCKET_DIRECTORY } from '../../api/socket-list.ts'
import { LandbridgeError } from '../../base/errors.ts'
import { loadSocketPath } from '../../gateway/config/public-config.ts'

export interface GatewayChoice {
  readonly config?: string
  readonly socket?: string
}

/**
 * The admin socket of the gateway that was named, or of the only one on this machine. Of a
 * configuration only that setting is read: who asks for the status need not be able to read keys.
 */
export async function resolveSocket(
  choice: GatewayChoice,
  directory: string = SOCKET_DIRECTORY,
): Promise<string> {
  if (choice.socket !== undefined) return choice.socket
  if (choice.config !== undefined) return loadSocketPath(choice.config)
  const sockets = await listSockets(directory)
  const [first, ...others] = sockets
  if (first !== undefined && others.length === 0) return first
  if (first === undefined) {
    throw new LandbridgeError(
      'ERR_GATEWAY_NOT_RUNNING',
      `no gateway has a socket in ${directory}`,
      {
        remedy: 'Start it with `landbridge run --config FILE`, or name its socket with --socket.',
      },
    )
  }
  const list = sockets.map((path) => `\n  ${path}`).join('')
  throw new LandbridgeError('ERR_SOCKET_CHOICE', `several gateways run on this machine:${list}`, {
    remedy: 'Name one with --config FILE or --socket PATH.',
    details: { sockets },
  })
}
