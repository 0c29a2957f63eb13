import type { Permission } from '../../base/permission.ts'
import type { GatewayStatus } from '../../status/status.ts'

/*
 * What the page and its gateway say to each other over the WebSocket `/live`: one JSON object a
 * message. PAGE.md describes it. Types only: the page in the browser shares them.
 */

export const PROTOCOL = 1

/** First, once. */
export interface HelloMessage {
  readonly type: 'hello'
  readonly protocol: typeof PROTOCOL
  readonly gateway: string
  readonly site: string
  readonly version: string
  /** Names of the gateways that can be asked through this one. */
  readonly peers: readonly string[]
  /** What may be asked here. */
  readonly operations: readonly {
    readonly name: string
    readonly summary: string
    readonly permission: Permission
  }[]
}

/** Once a second, to a viewer that takes it. */
export interface ViewMessage {
  readonly type: 'view'
  /** Wall clock of the gateway. */
  readonly atMs: number
  readonly status: GatewayStatus
  readonly peers: readonly PeerView[]
}

/** How a peer sees it itself. */
export interface PeerView {
  readonly name: string
  /** As it was heard last; null: never since the page is open. */
  readonly status: GatewayStatus | null
  /** When that came, by the clock of the gateway that serves the page. */
  readonly heardAtMs: number | null
  /** Why it was not heard just now; null when it was. */
  readonly error: { readonly code: string; readonly message: string } | null
}

/** From the page: one operation, of this gateway or of a peer. */
export interface AskMessage {
  readonly type: 'ask'
  /** Comes back in the answer; chosen by the page, unlike those that have no answer yet. */
  readonly id: number
  readonly operation: string
  readonly input: unknown
  readonly peer?: string
}

export interface ProgressMessage {
  readonly type: 'progress'
  readonly id: number
  readonly step: string
}

export type AnswerMessage =
  | { readonly type: 'answer'; readonly id: number; readonly output: unknown }
  | { readonly type: 'answer'; readonly id: number; readonly error: AnswerError }

export interface AnswerError {
  readonly code: string
  readonly message: string
  readonly remedy?: string
}

export type ServerMessage = HelloMessage | ViewMessage | ProgressMessage | AnswerMessage
