import type { Clock } from '../../base/clock.ts'
import { Condition } from '../../base/condition.ts'
import { describeError, errorFields } from '../../base/errors.ts'
import { plainValue } from '../../base/plain-text.ts'
import { type GatewayStatus, STATUS_SCHEMA } from '../../status/status.ts'
import type { PeerView, ViewMessage } from './protocol.ts'
import type { Ask, Viewer } from './viewer.ts'

export interface LiveViewsOptions {
  readonly ask: Ask
  /** Names of the gateways that are asked how they see it. */
  readonly peers: readonly string[]
  readonly clock: Clock
}

const VIEW_MS = 1_000
/** Peers are asked first, so that a view is of one moment; it does not wait longer for them. */
const PEERS_MS = 250
const PEER_SILENT_MS_MAX = 5_000
/** A set of GTIDs can be a megabyte: nobody reads it here. */
const TEXT_CHARACTERS_MAX = 1_000

/**
 * One view a second for all who look, and none while nobody does: what it costs does not grow with
 * the number of pages.
 */
export class LiveViews {
  readonly #options: LiveViewsOptions
  readonly #viewers = new Set<Viewer>()
  readonly #changed = new Condition()
  readonly #peers: readonly AskedPeer[]

  constructor(options: LiveViewsOptions) {
    this.#options = options
    this.#peers = options.peers.map((name) => new AskedPeer(name, options))
  }

  get viewers(): number {
    return this.#viewers.size
  }

  add(viewer: Viewer): void {
    this.#viewers.add(viewer)
    this.#changed.notifyAll()
  }

  delete(viewer: Viewer): void {
    this.#viewers.delete(viewer)
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options
    try {
      while (!signal.aborted) {
        while (this.#viewers.size === 0) await this.#changed.wait({ signal })
        await this.#show(signal)
        // Whoever comes meanwhile does not wait for the end of the second.
        const waiting = new AbortController()
        const either = AbortSignal.any([signal, waiting.signal])
        const due = clock.sleep(VIEW_MS, { signal: either })
        const joined = this.#changed.wait({ signal: either })
        await Promise.race([due, joined]).finally(() => waiting.abort())
        await Promise.allSettled([due, joined])
      }
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }

  async #show(signal: AbortSignal): Promise<void> {
    const { ask, clock } = this.#options
    const asked = Promise.all(this.#peers.map((peer) => peer.refresh(signal)))
    await Promise.race([asked, clock.sleep(PEERS_MS, { signal })])
    const context = { signal, progress: () => undefined }
    let status: GatewayStatus
    try {
      status = (await ask({ operation: 'status', input: {} }, context)) as GatewayStatus
    } catch (error) {
      // All places of those that read are taken: the next second has one. The page sees the age.
      if (errorFields(error).code === 'ERR_OPERATION_BUSY') return
      throw error
    }
    const peers = this.#peers.map((peer) => peer.view())
    const view: ViewMessage = { type: 'view', atMs: clock.wallMs(), status, peers }
    const text = JSON.stringify(plainValue(view), shortened)
    for (const viewer of this.#viewers) viewer.show(text)
  }
}

/** A peer's own view, asked once at a time. */
class AskedPeer {
  readonly #name: string
  readonly #options: LiveViewsOptions
  #status: GatewayStatus | null = null
  #heardAtMs: number | null = null
  #error: PeerView['error'] = null
  #asking: Promise<void> | null = null

  constructor(name: string, options: LiveViewsOptions) {
    this.#name = name
    this.#options = options
  }

  /** Settles when the peer has answered, or has not for too long. Never rejects. */
  async refresh(signal: AbortSignal): Promise<void> {
    this.#asking ??= this.#ask(signal).finally(() => {
      this.#asking = null
    })
    await this.#asking
  }

  view(): PeerView {
    return {
      name: this.#name,
      status: this.#status,
      heardAtMs: this.#heardAtMs,
      error: this.#error,
    }
  }

  async #ask(signal: AbortSignal): Promise<void> {
    const { ask, clock } = this.#options
    const either = AbortSignal.any([signal, AbortSignal.timeout(PEER_SILENT_MS_MAX)])
    const context = { signal: either, progress: () => undefined }
    try {
      const status = await ask({ operation: 'status', input: {}, peer: this.#name }, context)
      const { schema } = status as { schema?: unknown }
      if (schema === STATUS_SCHEMA) {
        this.#status = status as GatewayStatus
        this.#heardAtMs = clock.wallMs()
        this.#error = null
      } else this.#error = otherVersion(this.#name, schema)
    } catch (error) {
      const { code } = errorFields(error)
      const message = either.aborted ? `${this.#name} does not answer` : describeError(error)
      this.#error = { code, message }
    }
  }
}

function otherVersion(name: string, schema: unknown): PeerView['error'] {
  const message = `${name} speaks status schema ${String(schema)}, not ${STATUS_SCHEMA}`
  return { code: 'ERR_GATEWAY_ANSWER', message }
}

function shortened(_key: string, value: unknown): unknown {
  if (typeof value !== 'string' || value.length <= TEXT_CHARACTERS_MAX) return value
  return `${value.slice(0, TEXT_CHARACTERS_MAX)}…`
}
