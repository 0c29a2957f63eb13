import type { GatewayStatus } from './status.ts'

export interface Health {
  readonly healthy: boolean
  readonly state: GatewayStatus['state']
  /** Empty when healthy. */
  readonly reasons: readonly string[]
}

/**
 * Whether data flows. Not a reason to restart the gateway: it heals by itself what can be healed.
 */
export function healthOf(status: GatewayStatus): Health {
  const reasons = status.problems.map(
    ({ code, where, message }) => `${where}: ${message} (${code})`,
  )
  return { healthy: status.state === 'ok', state: status.state, reasons }
}
