import { MetricSheet, seconds } from '../observe/metric-sheet.ts'
import { processMetrics } from '../observe/own-process.ts'
import type { GatewayStatus } from '../status/status.ts'
import type { Capability } from './capability.ts'

/** What Prometheus reads of a gateway: its status, and what the capabilities add to it. */
export async function gatewayMetrics(
  status: GatewayStatus,
  capabilities: readonly Pick<Capability, 'metrics'>[],
): Promise<string> {
  const sheet = MetricSheet.empty()
  ownMetrics(sheet.of('landbridge_'), status)
  for (const capability of capabilities) capability.metrics?.(sheet, status)
  return `${await sheet.text()}${await processMetrics()}`
}

function ownMetrics(sheet: MetricSheet, status: GatewayStatus): void {
  const { name, site, version } = status
  sheet.gauge('info', 'Always 1; who this is', 1, { name, site, version })
  const { version: node } = process
  sheet.gauge('build_info', 'Always 1; what it is made of', 1, { version, node })
  const states = ['ok', 'degraded', 'blocked']
  sheet.state('state', '1 for the state the gateway is in', status.state, states)
  sheet.gauge('start_time_seconds', 'Unix time of the start', seconds(status.startedAtMs))
  for (const { code, severity, where } of status.problems) {
    sheet.gauge('problem', '1 for each problem', 1, { code, severity, where })
  }
  for (const { where, reason, connections } of status.refused) {
    const help = 'Connections turned away before they proved who they are'
    sheet.counter('refused_connections_total', help, connections, { where, reason })
  }
}
