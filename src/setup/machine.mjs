import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { findOnPath, sidRoot, unpackedRoot } from './cache.mjs'

const MYSQL_VERSION_MIN = [8, 4]

/** What this machine has. Asking costs next to nothing, so that the second run is quick. */
export const machine = {
  isLinux: () => process.platform === 'linux',
  isRoot: () => process.getuid?.() === 0,
  hasApt: () => findOnPath('apt-get') !== undefined,
  hasProgram: (name) => (name.startsWith('/') ? existsSync(name) : findOnPath(name) !== undefined),
  hasSid: () => existsSync(sidRoot()),
  hasInSid: (path) => existsSync(join(sidRoot(), path)),
  hasUnpacked: (path) => existsSync(join(unpackedRoot(), path)),
  hasRecentMysql,
}

/** Debian's `mysqld` is a link to MariaDB: only the version tells. */
function hasRecentMysql() {
  const path = findOnPath('mysqld')
  if (path === undefined) return false
  const { stdout } = spawnSync(path, ['--no-defaults', '--version'], { encoding: 'utf8' })
  return isRecentMysql(stdout ?? '')
}

export function isRecentMysql(versionText) {
  const match = /\bVer (\d+)\.(\d+)\.\d+/.exec(versionText)
  if (match === null || /mariadb/i.test(versionText)) return false
  const [major, minor] = [Number(match[1]), Number(match[2])]
  const [majorMin, minorMin] = MYSQL_VERSION_MIN
  return major > majorMin || (major === majorMin && minor >= minorMin)
}
