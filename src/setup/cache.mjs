import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The checkout or the installed package. */
export const projectDirectory = join(dirname(fileURLToPath(import.meta.url)), '..', '..')

const SYSTEM_CACHE = '/var/cache/landbridge'

/** Decides as src/lab/servers/machine-cache.ts does. */
export function cacheDirectory(environment = process.env) {
  if (environment.LANDBRIDGE_CACHE) return environment.LANDBRIDGE_CACHE
  if (process.getuid?.() === 0) return SYSTEM_CACHE
  return join(environment.XDG_CACHE_HOME || join(homedir(), '.cache'), 'landbridge')
}

/** What root has set up for the machine serves everybody on it. */
export function sidRoot(environment = process.env) {
  return rootNamed('sid', environment)
}

/** Where packages lie of which only a program is used. */
export function unpackedRoot(environment = process.env) {
  return rootNamed('unpacked', environment)
}

function rootNamed(name, environment) {
  const own = join(cacheDirectory(environment), name)
  const shared = join(SYSTEM_CACHE, name)
  return !environment.LANDBRIDGE_CACHE && !existsSync(own) && existsSync(shared) ? shared : own
}

/** Debian keeps much of what we need in /usr/sbin, which is not on everybody's PATH. */
export function findOnPath(name) {
  const folders = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '')
  return [...folders, '/usr/local/sbin', '/usr/sbin', '/sbin']
    .map((folder) => join(folder, name))
    .find((path) => existsSync(path))
}
