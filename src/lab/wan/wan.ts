import { once } from 'node:events'
import { connect } from 'node:net'
import { LandbridgeError } from '../../base/errors.ts'
import type { SiteName } from '../lab-sites.ts'
import type { WanReport } from './wan-relay.ts'
import type { WanSettings } from './wan-settings.ts'

/**
 * Asks the WAN process of a lab to change something (or nothing) between two sites or between all,
 * and for what is then so.
 */
export async function requestWan(
  controlSocket: string,
  changes: Partial<WanSettings> = {},
  between: readonly [SiteName, SiteName] | null = null,
): Promise<WanReport> {
  const socket = connect(controlSocket)
  socket.setTimeout(10_000, () => socket.destroy(new Error('no answer within 10 s')))
  try {
    await once(socket, 'connect')
    socket.write(`${JSON.stringify({ set: changes, between })}\n`)
    let answer = ''
    for await (const chunk of socket) answer += chunk
    const report: WanReport | { error: string } = JSON.parse(answer)
    if ('error' in report) throw new Error(report.error)
    return report
  } catch (cause) {
    throw new LandbridgeError('ERR_LAB_WAN', `the WAN of the lab does not answer`, {
      remedy: 'landbridge lab start wan',
      cause,
    })
  } finally {
    socket.destroy()
  }
}
