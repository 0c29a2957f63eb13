import type { GatewayConfig } from '../../gateway/config/gateway-config.ts'
import { checkAuthorities } from './check-identity.ts'
import { checkClock, checkFolders, checkPorts, checkTools } from './check-machine.ts'
import { checkMtu } from './check-mtu.ts'
import { checkReplicas } from './check-replica.ts'
import { checkRoles } from './check-roles.ts'
import { checkRoute } from './check-route.ts'
import { checkSources } from './check-source.ts'
import { checkSpools } from './check-spool.ts'

export interface CheckFinding {
  /** `ok` tells what was looked at and found good, `info` what somebody chose. */
  readonly severity: 'ok' | 'info' | 'warning' | 'error'
  readonly message: string
  /** One sentence, an SQL statement or a command. */
  readonly remedy?: string
}

export interface Check {
  readonly name: string
  /** True when it asks nothing of machine, network or database: `--offline` runs only these. */
  readonly offline: boolean
  run(config: GatewayConfig): Promise<readonly CheckFinding[]>
}

/** What `landbridge check` looks at after the configuration itself, in this order. */
export const checks: readonly Check[] = [
  { name: 'identity', offline: true, run: checkAuthorities },
  { name: 'roles', offline: true, run: checkRoles },
  { name: 'mtu', offline: true, run: checkMtu },
  { name: 'tools', offline: false, run: checkTools },
  { name: 'folders', offline: false, run: checkFolders },
  { name: 'spool', offline: false, run: checkSpools },
  { name: 'ports', offline: false, run: checkPorts },
  { name: 'route', offline: false, run: (config) => checkRoute(config) },
  { name: 'clock', offline: false, run: () => checkClock() },
  { name: 'source', offline: false, run: checkSources },
  { name: 'replica', offline: false, run: checkReplicas },
]
