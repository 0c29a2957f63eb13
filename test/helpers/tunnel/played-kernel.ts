import { spawn } from 'node:child_process'
import { access } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { type ProcessRunner, systemRunner } from '../../../src/tunnel/process-runner.ts'
import { SOCKET_FOLDER } from '../../../src/tunnel/userspace-backend.ts'

/**
 * For machines whose kernel has no WireGuard: what the back end of the kernel runs is run for real,
 * only `ip link add` gets the interface from wireguard-go. `wg` speaks to both alike.
 */
export function playedKernel(userspaceArgv: readonly string[]): ProcessRunner {
  return {
    find: systemRunner.find,
    async run(program, args, options) {
      const line = [program, ...args].join(' ')
      const name = /^ip link add dev (\S+) type wireguard$/.exec(line)?.[1]
      if (name !== undefined) return await addInterface(name)
      const text = await systemRunner.run(program, args, options)
      const listsLinks = line === 'ip -j -d link show'
      return listsLinks ? text.replaceAll('"info_kind":"tun"', '"info_kind":"wireguard"') : text
    },
  }

  async function addInterface(name: string): Promise<string> {
    const [program = '', ...rest] = userspaceArgv
    // It ends with its interface, and outlives us as an interface of the kernel would.
    spawn(program, [...rest, '-f', name], { detached: true, stdio: 'ignore' }).unref()
    const socket = `${SOCKET_FOLDER}/${name}.sock`
    const isThere = () =>
      access(socket).then(
        () => true,
        () => false,
      )
    for (let polls = 0; polls < 200 && !(await isThere()); polls += 1) await sleep(25)
    return ''
  }
}
