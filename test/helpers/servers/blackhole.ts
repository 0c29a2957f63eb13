import type { RunningServer } from '../../../src/lab/servers/server-options.ts'
import type { ReplicatedPair } from '../pair/replicated-pair.ts'

/**
 * The engine that logs rows and keeps none, so that gigabytes need no room in tables. MySQL has it
 * built in; MariaDB installs it on each server, for such statements are not replicated.
 */
export async function installBlackhole(pair: ReplicatedPair, server: RunningServer): Promise<void> {
  if (pair.flavor !== 'mariadb') return
  const sql = await pair.sql(server)
  await sql.query("INSTALL SONAME 'ha_blackhole'")
  sql.destroy()
}
