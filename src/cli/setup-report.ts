import type { PairPlan, SetupGateway, SetupReport } from './pair-setup.ts'

/** What `landbridge init` did, and what is left for a person to do. */
export function formatSetup(plan: PairPlan, report: SetupReport): string {
  const lines = report.files.map(({ path, outcome }) => `  ${outcome.padEnd(8)} ${path}`)
  for (const { name, wireguardPublicKey, certificateFingerprint } of report.gateways) {
    lines.push('', `${name}`, `  WireGuard public key:    ${wireguardPublicKey}`)
    lines.push(`  certificate fingerprint: ${certificateFingerprint}`)
  }
  lines.push('', 'Next steps:')
  for (const [index, step] of nextSteps(plan, report).entries()) {
    lines.push(`  ${index + 1}. ${step.replaceAll('\n', '\n     ')}`)
  }
  return `${lines.join('\n')}\n`
}

export function nextSteps(plan: PairPlan, report: SetupReport): string[] {
  const steps: string[] = report.ignored.map(
    ({ flag, line, path }) => `${path} was kept: for ${flag} write \`${line}\` into it.`,
  )
  const here = report.gateways.filter(({ elsewhere }) => !elsewhere)
  for (const { name, elsewhere } of report.gateways) {
    if (!elsewhere) continue
    const files = `certs/ca.crt and certs/${name}/gateway.crt`
    steps.push(`Bring ${files} back to ${name}, and the peer file of the other.`)
  }
  if (here.length === 0) return steps
  if (plan.production.endpoint === null && plan.dr.endpoint === null && !plan.externalTunnel) {
    steps.push('See that an endpoint in peers/ is the public address of its gateway (UDP).')
  }
  if (plan.sourceIsExample && here.some(({ site }) => site === 'production')) {
    steps.push(`Set the host of the source in gateway/${plan.production.name}.yaml.`)
  }
  for (const gateway of here) {
    if (!gateway.signed) steps.push(signingStep(plan, gateway))
  }
  const [production] = here.filter(({ site }) => site === 'production')
  if (production !== undefined) {
    steps.push(databaseStep(plan, production))
    const authority = `certs/${production.name}/source-ca.crt`
    if (!report.files.some(({ path }) => path === authority)) steps.push(TLS_STEP)
  }
  if (plan.only === null) {
    for (const { name } of here) {
      steps.push(
        `Bring ${name} its share, and nothing of the other's:\n` +
          `tar -czf ${name}.tar.gz gateway/${name}.yaml peers certs/ca.crt certs/${name}\n` +
          `It holds ${name}'s private keys: carry it over SSH, then delete it.`,
      )
    }
    steps.push('Put certs/ca.key away from both gateways; it is needed again for `init --renew`.')
  } else {
    steps.push(
      `Exchange peers/: the other gateway needs peers/${plan.only}.yaml, this one the other's.`,
    )
  }
  for (const { config, name } of here) {
    steps.push(
      `On ${name}: landbridge check --config ${config} && landbridge run --config ${config}`,
    )
  }
  return steps
}

const TLS_STEP =
  'The source proves who it is before it is told the password. Unless a public authority signed\n' +
  'its certificate, name who did (--source-ca FILE), or pin its key with the line that\n' +
  '`landbridge check` prints.'

function signingStep(plan: PairPlan, { name }: SetupGateway): string {
  const { production, dr } = plan
  return (
    `Get the certificate of ${name}: bring certs/${name}/gateway.pub and peers/${name}.yaml\n` +
    'to the machine with certs/ca.key, run there\n' +
    `landbridge init --pair ${production.name},${dr.name} --only ${name}\n` +
    `and bring back certs/ca.crt and certs/${name}/gateway.crt.`
  )
}

function databaseStep({ sourceUser }: PairPlan, { name }: SetupGateway): string {
  return (
    'At the production database, with the password in ' +
    `certs/${name}/source.password:\n` +
    `CREATE USER '${sourceUser}'@'%' IDENTIFIED BY '...';\n` +
    `GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO '${sourceUser}'@'%';`
  )
}
