import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock } from '../../../src/base/clock.ts'
import { onHost } from '../../../src/lab/hosts/namespaces.ts'
import { changeWan } from '../../../src/lab/lab-control.ts'
import { downLab } from '../../../src/lab/lab-down.ts'
import { type LabPaths, labPaths, PORTS } from '../../../src/lab/lab-paths.ts'
import { readSites, statusAt } from '../../../src/lab/lab-readiness.ts'
import { labShape } from '../../../src/lab/lab-shape.ts'
import { type LabState, sourceOf } from '../../../src/lab/lab-state.ts'
import { upLab } from '../../../src/lab/lab-up.ts'
import { Workload } from '../../../src/lab/load/workload.ts'
import type { WanSettings } from '../../../src/lab/wan/wan-settings.ts'
import { TestBrowser } from './chromium.ts'

const SITE = 'azure'

/**
 * Two clouds on this machine with a real tunnel between them, and a browser on the machine of the
 * copy's gateway: as a person sees it who came there by ssh.
 */
export class LabBrowser implements AsyncDisposable {
  readonly browser: TestBrowser
  readonly url = `http://127.0.0.1:${PORTS.page}/`
  readonly #paths: LabPaths
  readonly #state: LabState

  private constructor(paths: LabPaths, state: LabState, browser: TestBrowser) {
    this.#paths = paths
    this.#state = state
    this.browser = browser
  }

  static async start(): Promise<LabBrowser> {
    const paths = labPaths(`p-${randomBytes(4).toString('hex')}`)
    const shape = labShape({ sites: 2, streams: 1 })
    const options = { paths, shape, flavor: 'mariadb', wan: { delayMs: 10 } } as const
    const { signal } = new AbortController()
    const progress = () => undefined
    const { state } = await upLab({ ...options, gateways: true, progress, signal })
    try {
      const command = join(paths.runDirectory, 'browser')
      const argv = [...onHost(paths, `${SITE}-gw`), 'chromium', '"$@"']
      await writeFile(command, `#!/bin/sh\nexec ${argv.join(' ')}\n`, { mode: 0o700 })
      return new LabBrowser(paths, state, await TestBrowser.start(command))
    } catch (error) {
      await downLab(paths)
      throw error
    }
  }

  async wan(changes: Partial<WanSettings>): Promise<void> {
    await changeWan(this.#paths, changes)
  }

  /** Settles when the gateway itself says that its links are all up, or all down. */
  async until(state: 'up' | 'down'): Promise<void> {
    const isSo = async (): Promise<boolean> => {
      const links = statusAt(await readSites(this.#state.gateways), SITE)?.links ?? []
      return links.length > 0 && links.every((link) => (link.state === 'up') === (state === 'up'))
    }
    while (!(await isSo())) await sleep(50)
  }

  /** Transactions at the source, until abort. */
  async load(transactionsPerSecond: number, signal: AbortSignal): Promise<void> {
    const { socket } = sourceOf(this.#state, 'main')
    const workload = new Workload({
      ...{ socket, flavor: 'mariadb', clock: systemClock, writers: 4, transactionsPerSecond },
      ...{ secondsMax: null, transactionsMax: null, definitionSeconds: null, seed: 3 },
    })
    await workload.run(signal)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.browser.close()
    await downLab(this.#paths)
  }
}
