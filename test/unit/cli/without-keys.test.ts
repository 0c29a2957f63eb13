import { rm } from 'node:fs/promises'
import { Command } from 'commander'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { fetchStatus } from '../../../src/api/admin-client.ts'
import { AdminServer } from '../../../src/api/admin-server.ts'
import { addReplicaCommand } from '../../../src/cli/replica/replica-command.ts'
import { addTunnelCommand } from '../../../src/cli/tunnel/tunnel-command.ts'
import { loadPublicConfig } from '../../../src/gateway/config/public-config.ts'
import { tunnelShow } from '../../../src/gateway/tunnel-show.ts'
import { operationTableOf, releaseOf } from '../../helpers/api/operation-table-of.ts'
import { PairFolder } from '../../helpers/pair/pair-folder.ts'
import { drStatus } from '../../helpers/status/status-fixture.ts'

/*
 * Commands that ask the gateway alone, on a configuration whose keys and passwords nobody here can
 * read: a person on call, or one at a prompt where systemd hands them out.
 */

let pair: PairFolder
let config: string
let written: string[]
let released: string[]
const stopping = new AbortController()
let serving: Promise<void>

beforeEach(async () => {
  pair = await PairFolder.create()
  const socketPath = pair.at('azure.sock')
  await pair.edit('gateway/azure.yaml', ['/run/landbridge/azure.sock', socketPath])
  config = pair.at('gateway/azure.yaml')
  await rm(pair.at('certs'), { recursive: true })
  written = []
  released = []
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => written.push(String(text)) > 0)
  const release = releaseOf({ main: async (id: string) => released.push(id) > 0 })
  const shown = tunnelShow(await loadPublicConfig(config), () => drStatus.tunnel)
  const operations = operationTableOf([release, shown])
  const [status, metrics] = [() => drStatus, async () => '']
  const server = new AdminServer({ socketPath, status, metrics, operations })
  serving = server.run(stopping.signal)
  await expect.poll(() => fetchStatus(socketPath).catch(() => null)).not.toBeNull()
})

afterEach(async () => {
  vi.restoreAllMocks()
  stopping.abort()
  await serving
  await pair[Symbol.asyncDispose]()
  process.exitCode = undefined
})

test('show the tunnel, and make the gateway forget a replica', async () => {
  const program = new Command().exitOverride()
  addTunnelCommand(program)
  addReplicaCommand(program)
  const run = async (...words: string[]): Promise<unknown> => {
    written = []
    await program.parseAsync([...words, '--config', config, '--json'], { from: 'user' })
    return JSON.parse(written.join(''))
  }
  expect(await run('tunnel', 'show')).toMatchObject({
    status: drStatus.tunnel,
    gatewayAnswers: true,
  })
  expect(await run('replica', 'detach', 'id:9')).toMatchObject({ ok: true, isKnown: true })
  expect(released).toEqual(['id:9'])
})
