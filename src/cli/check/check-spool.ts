import { realDisk } from '../../base/disk.ts'
import { isLandbridgeError } from '../../base/errors.ts'
import type { GatewayConfig } from '../../config/config.ts'
import { recallSpool } from '../../gateway/spool-memory.ts'
import { refuseAbsent } from '../../spool/spool-presence.ts'
import type { CheckFinding } from './check-list.ts'

/** Whether each spool is the one that was there: its disk may not be mounted. */
export async function checkSpools({ dataDir, streams }: GatewayConfig): Promise<CheckFinding[]> {
  const findings: CheckFinding[] = []
  for (const { name: stream, spool } of streams) {
    if (spool === null) continue
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
