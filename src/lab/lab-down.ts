import { readdir, rm, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { stopProcess } from './hosts/lab-process.ts'
import { removeNamespaces } from './hosts/namespaces.ts'
import { unmountBelow } from './hosts/spool-disk.ts'
import { type LabPaths, labsDataDirectory, labsRunDirectory } from './lab-paths.ts'
import { SITES } from './lab-sites.ts'
import { readAnyState } from './lab-state.ts'

/** Where wireguard-go and the kernel's tools meet; shared by all namespaces of the machine. */
const WIREGUARD_SOCKETS = '/var/run/wireguard'

/**
 * Removes all of a lab, whatever state it is in: started half, crashed, gone already. Processes
 * end in the order of the flow, so that the databases can still flush; a second time does nothing.
 */
export async function downLab(
  paths: LabPaths,
  options: { readonly progress?: (line: string) => void } = {},
): Promise<void> {
  const state = await readAnyState(paths)
  const processes = Object.entries(state?.processes ?? {})
  const groups = ['gateway', 'database', 'wan'].map((kind) =>
    processes.filter(([name]) => kindOf(name) === kind),
  )
  for (const group of groups) {
    await Promise.all(
      group.map(async ([name, record]) => {
        options.progress?.(`ending ${name} (pid ${record.pid})`)
        // The data is thrown away in a moment: nothing is worth a long wait.
        await stopProcess(record, 4_000)
      }),
    )
  }
  await removeNamespaces(paths)
  await removeWireguardSockets(paths)
  await unmountBelow(paths.dataDirectory)
  await rm(paths.runDirectory, { recursive: true, force: true })
  await rm(paths.dataDirectory, { recursive: true, force: true })
  for (const shared of [labsRunDirectory(), labsDataDirectory()]) {
    // Only when this was the last lab.
    await rmdir(shared).catch(() => undefined)
  }
}

/** Also of names that another version gave. */
function kindOf(process: string): 'gateway' | 'database' | 'wan' {
  if (process.endsWith('-gateway')) return 'gateway'
  return process === 'wan' ? 'wan' : 'database'
}

async function removeWireguardSockets(paths: LabPaths): Promise<void> {
  const names = SITES.map((site) => paths.interfaceName(site))
  for (const entry of await readdir(WIREGUARD_SOCKETS).catch(() => [])) {
    if (names.some((name) => entry === `${name}.sock` || entry === `${name}.name`)) {
      await rm(join(WIREGUARD_SOCKETS, entry), { force: true })
    }
  }
}
