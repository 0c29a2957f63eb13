import { access, readFile } from 'node:fs/promises'
import { release } from 'node:os'
import { join } from 'node:path'
import { ignoreMissing } from '../base/atomic-file.ts'

/**
 * Whether this kernel has WireGuard, built in, loaded, or as a module that it would load. Only
 * reads: to know for certain one would have to make an interface, which takes privileges.
 */
export async function kernelHasWireguard(root = '/', kernel = release()): Promise<boolean> {
  const isLoaded = await access(join(root, 'sys/module/wireguard')).then(
    () => true,
    () => false,
  )
  if (isLoaded) return true
  for (const list of ['modules.dep', 'modules.builtin']) {
    const path = join(root, 'lib/modules', kernel, list)
    const modules = (await readFile(path, 'utf8').catch(ignoreMissing)) ?? ''
    if (/\/wireguard\.ko\b/.test(modules)) return true
  }
  return false
}
