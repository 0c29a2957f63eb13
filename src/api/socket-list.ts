import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { codeOf } from '../base/errors.ts'

/** Where gateways put their admin sockets unless the configuration says otherwise. */
export const SOCKET_DIRECTORY = '/run/landbridge'
const OPERATE_SUFFIX = '.operate.sock'

/**
 * Beside the socket for reading: the one that can change something as well. One socket a
 * permission, since a file's mode is all that the kernel asks.
 */
export function operateSocket(socketPath: string): string {
  return socketPath.replace(/(\.sock)?$/, OPERATE_SUFFIX)
}

/** The admin sockets on this machine, sorted; some may be left over from a crash. */
export async function listSockets(directory: string = SOCKET_DIRECTORY): Promise<string[]> {
  try {
    const names = await readdir(directory)
    return names
      .filter((name) => name.endsWith('.sock') && !name.endsWith(OPERATE_SUFFIX))
      .sort()
      .map((name) => join(directory, name))
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return []
    throw error
  }
}
