import { EXAMPLE_DATABASE } from '../../database/database-section.ts'
import { MYSQL_THREADS_GRANT } from '../../database/replica-queries.ts'
import { ATTACH_GRANTS, FENCE_GRANT, roleChangeGrants, SOURCE_GRANTS } from '../../mysql/grants.ts'
import type { SetupGateway, SitesPlan } from '../../provision/sites-plan.ts'

/** Both flavours take these words for what reads the binary log. */
const BOTH_SOURCE_GRANTS = SOURCE_GRANTS.mysql.join(', ')

/** What is left to do for the database of a gateway; `changed` are the files that it has to get. */
export function databaseSteps(
  plan: SitesPlan,
  gateway: SetupGateway,
  changed: readonly string[],
): string[] {
  const { name, config, file } = gateway
  const isOrigin = name === (file?.origin ?? plan.origin)
  const planned = plan.gateways.find((one) => one.name === name)
  const steps: string[] = []
  if (isOrigin && file?.databaseHost === EXAMPLE_DATABASE.origin.host && !planned?.database) {
    steps.push(`Set the host of the database in ${config}.`)
  }
  if (changed.includes(`certs/${name}/database.password`)) {
    const user = planned?.databaseUser ?? ''
    const others = plan.gateways.filter((one) => one.name !== name)
    const isFenced = others.some(({ mayTakeOver }) => mayTakeOver !== false)
    steps.push(isOrigin ? originLogin(name, user, isFenced) : copyLogin(gateway, user))
  }
  if (file?.databaseHost !== null && file?.namesProof === false && changed.length > 0) {
    steps.push(tlsStep(name))
  }
  return steps
}

function originLogin(name: string, user: string, isFenced: boolean): string {
  const to = `TO '${user}'@'%';`
  const lines = [
    `At the database of ${name}, with the password in certs/${name}/database.password:`,
    `CREATE USER '${user}'@'%' IDENTIFIED BY '...';`,
    `GRANT ${BOTH_SOURCE_GRANTS} ON *.* ${to}`,
  ]
  if (isFenced) {
    lines.push(
      'So that it can be made read-only when another site takes over, also:',
      `GRANT ${FENCE_GRANT.mysql} ON *.* ${to}    -- MySQL`,
      `GRANT ${FENCE_GRANT.mariadb} ON *.* ${to}    -- MariaDB`,
    )
  }
  return lines.join('\n')
}

/** Not into the binary log: a copy may have no transaction that the origin never had. */
function copyLogin({ name, config, file, mayTakeOver }: SetupGateway, user: string): string {
  const to = `TO '${user}'@'%';`
  const lines = [
    `At the database of ${name}, when it is restored from a backup of the origin, with the`,
    `password in certs/${name}/database.password (gateway/README.md, "The replica"):`,
    'SET SESSION sql_log_bin = 0;',
    `CREATE USER '${user}'@'%' IDENTIFIED BY '...';`,
    `GRANT ${ATTACH_GRANTS.mysql.join(', ')} ON *.* ${to}    -- MySQL`,
    `GRANT ${MYSQL_THREADS_GRANT} ${to}    -- MySQL`,
    `GRANT ${ATTACH_GRANTS.mariadb.join(', ')} ON *.* ${to}    -- MariaDB`,
  ]
  if (mayTakeOver) {
    lines.push(
      `So that ${name} can become the origin, and be fenced when another site does, also:`,
      `GRANT ${roleChangeGrants('mysql').join(', ')} ON *.* ${to}    -- MySQL`,
      `GRANT ${roleChangeGrants('mariadb').join(', ')} ON *.* ${to}    -- MariaDB`,
    )
  }
  if (file?.databaseHost === null) {
    lines.push(`Then take the # from \`database:\` in ${config} and set its host.`)
  }
  return lines.join('\n')
}

function tlsStep(name: string): string {
  return (
    `The database of ${name} proves who it is before it is told the password. Unless a public\n` +
    `authority signed its certificate, name who did (--database-ca ${name}=FILE), or pin its\n` +
    'key with the line that `landbridge check` prints.'
  )
}
