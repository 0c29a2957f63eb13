import { verdictsOf } from '../../src/cli/status-verdict.ts'
import type { GatewayStatus } from '../../src/progress/status.ts'

/** What `landbridge status` says to the question whether DR can take over. */
export function failoverAnswer(status: GatewayStatus): string {
  return verdictsOf(status).find(({ question }) => question === 'failover')?.answer ?? ''
}
