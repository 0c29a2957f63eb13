import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { open, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { parseDocument } from 'yaml'
import { onHost } from '../hosts/namespaces.ts'
import { landbridgeArgv } from '../lab-gateways.ts'
import type { LabPaths } from '../lab-paths.ts'
import { relayPort } from '../lab-shape.ts'
import { addressesOf, type SiteName } from '../lab-sites.ts'
import { gatewayOf, type LabState, spoolOf } from '../lab-state.ts'

export interface SecondGatewayOptions {
  readonly paths: LabPaths
  readonly state: LabState
  readonly site: SiteName
  /** With the first one's data directory it ends at once; else it waits for the spools. */
  readonly sameData: boolean
}

/** Above those of the first one. */
const RELAY_PORT_STEP = 100

/**
 * Starts another gateway at a site on the spools of the running one, both of them process 1 of a
 * PID namespace as in two containers. Returns what ends it.
 */
export async function startSecondGateway(
  options: SecondGatewayOptions,
): Promise<() => Promise<void>> {
  const { paths, site } = options
  const config = await writeConfig(options)
  const log = await open(join(paths.logDirectory, 'second-gateway.log'), 'a')
  let child: ChildProcess
  try {
    const alone = ['unshare', '--fork', '--pid', '--mount-proc', '--kill-child']
    const argv = [
      ...onHost(paths, `${site}-gw`),
      ...alone,
      ...landbridgeArgv('run', '--config', config),
    ]
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
  const { paths, state, site, sameData } = options
  const gateway = gatewayOf(state, site)
  const config = parseDocument(await readFile(gateway.config, 'utf8'))
  config.setIn(['admin', 'socket'], join(paths.runDirectory, 'second.sock'))
  for (const [index, { name }] of state.streams.entries()) {
    const listen = `${addressesOf(site).gateway}:${relayPort(name) + RELAY_PORT_STEP}`
    config.setIn(['streams', index, 'spool', 'directory'], spoolOf(state, name, site))
    config.setIn(['streams', index, 'relay', 'listen'], listen)
  }
  if (!sameData) config.setIn(['dataDir'], join(paths.dataDirectory, 'second'))
  const file = join(dirname(gateway.config), 'second.yaml')
  await writeFile(file, config.toString())
  return file
}
