import type { Problem, TunnelStatus } from '../status/status.ts'

/** The way to the other gateway, whoever made it. */
export interface TunnelPath {
  /** Settles when everything it made is gone again. */
  run(signal: AbortSignal): Promise<void>
  /** Settles when the local tunnel address can be bound; a handshake may still be to come. */
  ready(signal: AbortSignal): Promise<void>
  status(): TunnelStatus
  problems(): readonly Problem[]
}
