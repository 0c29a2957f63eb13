import type { GatewayStatus } from '../../src/status/status.ts'
import { verdictsOf } from '../../src/status/verdicts.ts'

/** What `landbridge status` says to the question whether DR can take over. */
export function failoverAnswer(status: GatewayStatus): string {
  return verdictsOf(status).find(({ question }) => question === 'failover')?.answer ?? ''
}
