import type { Flavor } from '../base/flavor.ts'

/*
 * What the gateway's login at a server needs, by what it does there. A login that has all of them
 * serves in every role.
 */

type Grants = Readonly<Record<Flavor, readonly string[]>>

/** To read the dump; to see which files there are and where the newest ends. */
export const SOURCE_GRANTS: Grants = {
  mysql: ['REPLICATION SLAVE', 'REPLICATION CLIENT'],
  mariadb: ['REPLICATION SLAVE', 'BINLOG MONITOR'],
}

/** To point replication at the relay and start it; to see what it does and has applied. */
export const ATTACH_GRANTS: Grants = {
  mysql: ['REPLICATION_SLAVE_ADMIN', 'REPLICATION CLIENT', 'RELOAD'],
  mariadb: ['REPLICATION SLAVE ADMIN', 'SLAVE MONITOR', 'RELOAD'],
}

/** To make the server read-only. */
export const FENCE_GRANT: Readonly<Record<Flavor, string>> = {
  mysql: 'SYSTEM_VARIABLES_ADMIN',
  mariadb: 'READ_ONLY ADMIN',
}

/** What a copy's login needs besides, to become an origin and to be fenced when another one is. */
export function roleChangeGrants(flavor: Flavor): string[] {
  const known = ATTACH_GRANTS[flavor]
  return [...SOURCE_GRANTS[flavor].filter((name) => !known.includes(name)), FENCE_GRANT[flavor]]
}
