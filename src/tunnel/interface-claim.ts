import { once } from 'node:events'
import { createServer } from 'node:net'
import { codeOf } from '../base/errors.ts'
import { interfaceTaken } from './interface-plan.ts'

/**
 * Says that this process keeps the interface `name`, so that two gateways with one key do not
 * remove each other's for ever. The claim is an abstract socket: the kernel keeps those apart by
 * network namespace, as it does interfaces, and drops it with the process. No file is left.
 * Throws ERR_TUNNEL_INTERFACE while another process has it.
 */
export async function claimInterface(name: string): Promise<AsyncDisposable> {
  // Nobody is listened to.
  const server = createServer((socket) => socket.destroy())
  server.listen(`\0landbridge-interface-${name}`)
  try {
    await once(server, 'listening')
  } catch (error) {
    if (codeOf(error) !== 'EADDRINUSE') throw error
    throw interfaceTaken(name, 'kept by another gateway')
  }
  return {
    async [Symbol.asyncDispose]() {
      server.close()
      await once(server, 'close')
    },
  }
}
