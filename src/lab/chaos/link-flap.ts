import { setTimeout as sleep } from 'node:timers/promises'
import { runCommand, tryCommand } from '../hosts/command.ts'
import { onHost } from '../hosts/namespaces.ts'
import { type LabPaths, PORTS } from '../lab-paths.ts'
import type { SiteName } from '../lab-sites.ts'

/** A table of one gateway's host alone, so that nothing else is touched. */
const TABLE = 'landbridge_lab_flap'
const RULES = [
  `add table inet ${TABLE}`,
  `add chain inet ${TABLE} arriving { type filter hook input priority 0 ; }`,
  `add chain inet ${TABLE} leaving { type filter hook output priority 0 ; }`,
  `add rule inet ${TABLE} arriving tcp dport ${PORTS.link} reject with tcp reset`,
  `add rule inet ${TABLE} leaving tcp sport ${PORTS.link} reject with tcp reset`,
].join('\n')
/** Longer than what passes between two packets of an idle link. */
const SHUT_MS = 1_200

/** Resets every connection to the link of a site again and again, with `openMs` in between. */
export async function flapLink(
  paths: LabPaths,
  site: SiteName,
  openMs: number,
  signal: AbortSignal,
): Promise<void> {
  const host = onHost(paths, `${site}-gw`)
  try {
    while (!signal.aborted) {
      await shut(host)
      await pause(SHUT_MS, signal)
      await open(host)
      await pause(openMs, signal)
    }
  } finally {
    await open(host)
  }
}

async function shut(host: readonly string[]): Promise<void> {
  await runCommand([...host, 'nft', '-f', '-'], { stdin: RULES })
}

async function open(host: readonly string[]): Promise<void> {
  // It may be open already.
  await tryCommand([...host, 'nft', 'delete', 'table', 'inet', TABLE])
}

async function pause(durationMs: number, signal: AbortSignal): Promise<void> {
  // The loop sees the abort.
  await sleep(durationMs, undefined, { signal }).catch(() => undefined)
}
