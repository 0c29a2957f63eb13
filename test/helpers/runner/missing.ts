import { PACKAGES_OF_NEED } from '../../../src/setup/needs.mjs'

/**
 * What a test can need of its machine. `root`: network namespaces, tunnels and mounts, with the
 * programs for them. A server stands for its programs; `newer-mariadb` is the one for upgrades;
 * `promtool` is of Prometheus, `browser` is Chromium.
 */
export type Need = 'root' | 'mariadb' | 'newer-mariadb' | 'mysql' | 'promtool' | 'browser'

/** What src/setup/main.mjs could not give this machine, with the reason. */
export interface Missing {
  readonly root: boolean
  readonly packages: readonly string[]
  readonly reason: string
  readonly remedy: string
}

export function parseMissing(text: string | undefined): readonly Missing[] {
  return text === undefined || text === '' ? [] : (JSON.parse(text) as Missing[])
}

/** Why a test with these needs cannot run here, null when it can. */
export function unmetReason(
  wanted: readonly Need[],
  missing: readonly Missing[],
  isRoot: boolean,
): string | null {
  if (wanted.includes('root') && !isRoot) return 'this needs root (network namespaces); use sudo'
  for (const { root, packages, reason, remedy } of missing) {
    const isUnmet = (need: Need) =>
      (need === 'root' && root) || PACKAGES_OF_NEED[need].some((name) => packages.includes(name))
    if (wanted.some(isUnmet)) return `${reason}; ${remedy}`
  }
  return null
}
