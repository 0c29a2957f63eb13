import type { GatewayStatus } from '../../../src/status/status.ts'

/** What a gateway answers to the question whether DR can take over. */
export function failoverAnswer({ verdicts }: GatewayStatus): string {
  return verdicts.find(({ question }) => question === 'failover')?.answer ?? ''
}
