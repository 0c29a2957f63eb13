import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Flavor } from '../../../src/base/flavor.ts'
import type { RunningServer, StartServerOptions } from '../../../src/lab/servers/server-options.ts'
import { startServer } from '../../../src/lab/servers/start-server.ts'
import { freePort } from '../free-port.ts'

export type TestServerOptions = Partial<Omit<StartServerOptions, 'flavor' | 'detached'>>

/**
 * Real servers for a test, in one temporary folder:
 *
 *     await using servers = await TestServers.create()
 *     const source = await servers.start('mariadb')
 *
 * or `afterAll(() => servers.stop())`. Whatever the test does, the servers and the folder go.
 */
export class TestServers implements AsyncDisposable {
  readonly directory: string
  readonly #running: RunningServer[] = []
  #count = 0

  private constructor(directory: string) {
    this.directory = directory
  }

  static async create(): Promise<TestServers> {
    return new TestServers(await mkdtemp(join(tmpdir(), 'lb-')))
  }

  /** The n-th server gets server_id n and the folder `n`, unless the options say otherwise. */
  async start(flavor: Flavor, options: TestServerOptions = {}): Promise<RunningServer> {
    this.#count += 1
    // Read before the first wait: two starts at once must not get the same one.
    const serverId = this.#count
    const server = await startServer({
      directory: join(this.directory, String(serverId)),
      port: await freePort(),
      serverId,
      durable: false,
      bufferPoolBytes: 64 * 1024 ** 2,
      ...options,
      flavor,
    })
    this.#running.push(server)
    return server
  }

  /** Their data go with them, so nothing of them needs to be written out first. */
  async stop(): Promise<void> {
    for (const server of this.#running) server.kill('SIGKILL')
    await Promise.all(this.#running.map(({ exited }) => exited))
    await rm(this.directory, { recursive: true, force: true })
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }
}
