import { realDisk } from '../../base/disk.ts'
import { isLandbridgeError } from '../../base/errors.ts'
import type { GatewayConfig } from '../../gateway/config/gateway-config.ts'
import { recallSpool } from '../../spool/spool-memory.ts'
import { refuseAbsent } from '../../spool/spool-presence.ts'
import type { CheckFinding } from './check-list.ts'
import { streamsAs } from './check-roles.ts'

/** Whether each spool is the one that was there: its disk may not be mounted. */
export async function checkSpools(config: GatewayConfig): Promise<CheckFinding[]> {
  const findings: CheckFinding[] = []
  const copied = await streamsAs('copy', config)
  const { dataDir } = config
  for (const { name: stream, spool } of copied) {
    const { directory } = spool
    const known = await recallSpool({ dataDir, stream, directory })
    if (known === null) {
      findings.push({ severity: 'ok', message: `a spool begins in ${directory}, or goes on` })
      continue
    }
    try {
      await refuseAbsent({ directory, disk: realDisk }, known)
      findings.push({ severity: 'ok', message: `the spool is in ${directory}` })
    } catch (error) {
      if (!isLandbridgeError(error)) throw error
      const { message, remedy } = error
      findings.push({ severity: 'error', message, ...(remedy !== undefined && { remedy }) })
    }
  }
  return findings
}
