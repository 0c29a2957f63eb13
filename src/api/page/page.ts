import type { WebSocket } from 'ws'
import type { Clock } from '../../base/clock.ts'
import type { Log } from '../../base/log.ts'
import type { OperationContext } from '../../base/operation.ts'
import type { Permission } from '../../base/permission.ts'
import { runTogether } from '../../base/tasks.ts'
import { packageVersion } from '../../base/version.ts'
import type { Problem, RefusedStatus } from '../../status/status.ts'
import type { AskPeer } from '../admin-server.ts'
import type { OperationTable } from '../operation-table.ts'
import { LiveViews } from './live-views.ts'
import type { PageConfig } from './page-section.ts'
import { PageServer } from './page-server.ts'
import type { OwnIdentity } from './page-tls.ts'
import { PROTOCOL } from './protocol.ts'
import { ASK_BYTES_MAX, type Ask, Viewer } from './viewer.ts'

export interface PageOptions {
  readonly config: PageConfig
  readonly name: string
  readonly site: string
  readonly identity: OwnIdentity
  /** Names of the other gateways. */
  readonly peers: readonly string[]
  /** Asked for only once it runs. */
  readonly operations: () => Pick<OperationTable, 'call' | 'list'>
  readonly askPeer: AskPeer
  readonly clock: Clock
  readonly log: Log
}

/** Whoever looks may look, and nothing more. */
const GRANTED: Permission = 'read'
const CALLER = 'page'

/** The web page of a gateway: what is served, and what those who look are told. */
export class Page {
  readonly ground = [this]
  readonly #options: PageOptions
  readonly #views: LiveViews
  readonly #server: PageServer

  constructor(options: PageOptions) {
    this.#options = options
    const { config, identity, peers, clock, log } = options
    this.#views = new LiveViews({ ask: this.#ask, peers, clock })
    this.#server = new PageServer({
      ...config,
      identity,
      onViewer: (socket) => this.#welcome(socket),
      viewers: () => this.#views.viewers,
      messageBytesMax: ASK_BYTES_MAX,
      clock,
      log,
    })
  }

  /** The bound port; null while it does not listen. */
  get port(): number | null {
    return this.#server.port
  }

  async run(signal: AbortSignal): Promise<void> {
    await runTogether([this.#views, this.#server], signal)
  }

  problems(): Problem[] {
    return this.#server.problems()
  }

  refused(): RefusedStatus[] {
    return this.#server.refused()
  }

  #welcome(socket: WebSocket): void {
    const { name, site, peers, clock, operations } = this.#options
    const viewer = new Viewer({ socket, ask: this.#ask, clock })
    socket.once('close', () => this.#views.delete(viewer))
    const allowed = operations()
      .list()
      .filter(({ permission }) => permission === GRANTED)
    viewer.send({
      type: 'hello',
      protocol: PROTOCOL,
      gateway: name,
      site,
      version: packageVersion(),
      peers,
      operations: allowed.map(({ name, summary, permission }) => ({ name, summary, permission })),
    })
    this.#views.add(viewer)
  }

  readonly #ask: Ask = async ({ operation, input, peer }, context: OperationContext) => {
    const { operations, askPeer } = this.#options
    const asked = { input, granted: GRANTED }
    if (peer !== undefined) return await askPeer(peer, { operation, ...asked }, context)
    return await operations().call({ name: operation, ...asked, ...context, caller: CALLER })
  }
}
