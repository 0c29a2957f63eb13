import { dirname, resolve } from 'node:path'
import { listSockets, SOCKET_DIRECTORY } from '../../api/socket-list.ts'
import { LandbridgeError } from '../../base/errors.ts'
import { configError, Problems } from '../../config/problem.ts'
import { adminSchema } from '../../config/schema.ts'
import { readYaml } from '../../config/yaml-file.ts'

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
  if (choice.config !== undefined) return socketOfConfig(choice.config)
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

async function socketOfConfig(path: string): Promise<string> {
  const problems = new Problems()
  const raw = await readYaml(resolve(path), problems)
  const admin = (raw as { readonly admin?: unknown } | undefined)?.admin
  const section = raw === undefined ? null : problems.parse(adminSchema, admin ?? {}, ['admin'])
  if (section === null) throw configError(path, problems.list)
  return resolve(dirname(path), section.socket)
}
