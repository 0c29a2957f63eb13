import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { open, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { parseDocument } from 'yaml'
import { onHost } from '../hosts/namespaces.ts'
import { landbridgeArgv } from '../lab-gateways.ts'
import { ADDRESSES, type LabPaths } from '../lab-paths.ts'
import type { GatewayRecord } from '../lab-state.ts'

export interface SecondGatewayOptions {
  readonly paths: LabPaths
  readonly gateway: GatewayRecord
  readonly spoolDirectory: string
  /** With the first one's data directory it ends at once; else it waits for the spool. */
  readonly sameData: boolean
}

const RELAY_PORT = 3_317

/**
 * Starts another DR gateway on the spool of the running one, both of them process 1 of a PID
 * namespace as in two containers. Returns what ends it.
 */
export async function startSecondGateway(
  options: SecondGatewayOptions,
): Promise<() => Promise<void>> {
  const { paths } = options
  const config = await writeConfig(options)
  const log = await open(join(paths.logDirectory, 'second-gateway.log'), 'a')
  let child: ChildProcess
  try {
    const alone = ['unshare', '--fork', '--pid', '--mount-proc', '--kill-child']
    const argv = [...onHost(paths, 'dr-gw'), ...alone, ...landbridgeArgv('run', '--config', config)]
    const [program = '', ...rest] = argv
    child = spawn(program, rest, { stdio: ['ignore', log.fd, log.fd] })
    await once(child, 'spawn')
  } finally {
    await log.close()
  }
  const closed = once(child, 'close')
  return async () => {
    child.kill('SIGKILL')
    await closed
  }
}

async function writeConfig(options: SecondGatewayOptions): Promise<string> {
  const { paths, gateway, spoolDirectory, sameData } = options
  const config = parseDocument(await readFile(gateway.config, 'utf8'))
  config.setIn(['admin', 'socket'], join(paths.runDirectory, 'second.sock'))
  config.setIn(['streams', 0, 'spool', 'directory'], spoolDirectory)
  config.setIn(['streams', 0, 'relay', 'listen'], `${ADDRESSES.drGw}:${RELAY_PORT}`)
  if (!sameData) config.setIn(['dataDir'], join(paths.dataDirectory, 'second'))
  const file = join(dirname(gateway.config), 'second.yaml')
  await writeFile(file, config.toString())
  return file
}
