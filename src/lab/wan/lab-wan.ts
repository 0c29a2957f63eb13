import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { isRunning, type ProcessRecord, startProcess } from '../hosts/lab-process.ts'
import { onHost } from '../hosts/namespaces.ts'
import { type LabPaths, PORTS } from '../lab-paths.ts'
import { addressesOf } from '../lab-sites.ts'
import { requestWan } from './wan.ts'
import type { WanRelayOptions } from './wan-relay.ts'
import type { WanPairSettings } from './wan-settings.ts'

/** Starts the WAN process of a lab and waits until it passes packets. */
export async function startWan(
  paths: LabPaths,
  pairs: readonly WanPairSettings[],
): Promise<ProcessRecord> {
  const sites = [...new Set(pairs.flatMap(({ between }) => between))]
  const options: WanRelayOptions = {
    controlSocket: paths.wanSocket,
    port: PORTS.wireguard,
    sites: sites.map((site) => {
      const addresses = addressesOf(site)
      return { site, publicAddress: addresses.public, gatewayAddress: addresses.gatewayWan }
    }),
    pairs,
  }
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
  const script = fileURLToPath(new URL(`./wan-relay.${extension}`, import.meta.url))
  const record = await startProcess(
    [...onHost(paths, 'wan'), process.execPath, script, JSON.stringify(options)],
    { logFile: `${paths.logDirectory}/wan.log` },
  )
  for (let waitedMs = 0; ; waitedMs += 50) {
    try {
      await requestWan(paths.wanSocket)
      return record
    } catch (error) {
      if (waitedMs >= 10_000 || !isRunning(record)) throw error
      await sleep(50)
    }
  }
}
