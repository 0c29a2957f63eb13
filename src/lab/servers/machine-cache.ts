import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

const SYSTEM_CACHE = '/var/cache/landbridge'

/**
 * Where what is expensive to make and belongs to the machine is kept: the root of Debian sid and
 * the initialised data directories. src/setup/cache.mjs decides the same in plain JavaScript.
 */
export function cacheDirectory(): string {
  const chosen = process.env.LANDBRIDGE_CACHE
  if (chosen !== undefined && chosen !== '') return chosen
  if (process.getuid?.() === 0) return SYSTEM_CACHE
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'landbridge')
}

/** What root has set up for the machine serves everybody on it. */
export function sidRoot(): string {
  const own = join(cacheDirectory(), 'sid')
  const shared = join(SYSTEM_CACHE, 'sid')
  return !process.env.LANDBRIDGE_CACHE && !existsSync(own) && existsSync(shared) ? shared : own
}

/** Multiarch folder and loader of sid for this processor, undefined where we know none. */
function architecture(): { readonly folder: string; readonly loader: string } | undefined {
  if (process.arch === 'x64') {
    return { folder: 'x86_64-linux-gnu', loader: 'lib64/ld-linux-x86-64.so.2' }
  }
  if (process.arch === 'arm64') {
    return { folder: 'aarch64-linux-gnu', loader: 'lib/ld-linux-aarch64.so.1' }
  }
  return undefined
}

/**
 * argv that runs a program of the sid root (such as `usr/bin/wireguard-go`) with its own loader
 * and libraries, so no chroot and no newer libc on the machine is needed. Undefined when it is
 * not there.
 */
export function sidProgram(path: string): string[] | undefined {
  const root = sidRoot()
  const arch = architecture()
  if (arch === undefined || !existsSync(join(root, path))) return undefined
  const loader = join(root, arch.loader)
  if (!existsSync(loader)) return undefined
  const libraries = [join(root, 'lib', arch.folder), join(root, 'usr/lib', arch.folder)]
  return [loader, '--library-path', libraries.join(':'), join(root, path)]
}
