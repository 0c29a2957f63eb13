import { sameSubnet } from '../../config/address.ts'
import {
  otherGateways,
  type SetupGateway,
  type SetupReport,
  type SitesPlan,
} from '../../provision/sites-plan.ts'
import { TUNNEL_SUBNET } from '../../provision/tunnel-addresses.ts'
import { databaseSteps } from './database-steps.ts'

/** What `landbridge init` did, and what is left for a person to do. */
export function formatSetup(plan: SitesPlan, report: SetupReport): string {
  const lines = report.files.map(({ path, outcome }) => `  ${outcome.padEnd(8)} ${path}`)
  for (const { name, wireguardPublicKey, certificateFingerprint } of report.gateways) {
    lines.push('', `${name}`, `  WireGuard public key:    ${wireguardPublicKey}`)
    lines.push(`  certificate fingerprint: ${certificateFingerprint}`)
  }
  const steps = nextSteps(plan, report)
  lines.push('', steps.length === 0 ? 'Nothing is left to do here.' : 'Next steps:')
  for (const [index, step] of steps.entries()) {
    lines.push(`  ${index + 1}. ${step.replaceAll('\n', '\n     ')}`)
  }
  return `${lines.join('\n')}\n`
}

/** Only what this run made necessary, or what is still open: nobody begins again. */
export function nextSteps(plan: SitesPlan, report: SetupReport): string[] {
  if (plan.renew) return report.gateways.map(renewalStep)
  const steps: string[] = report.ignored.map(
    ({ flag, line, path }) => `${path} was kept: for ${flag} write \`${line}\` into it.`,
  )
  const here = report.gateways.filter(({ elsewhere }) => !elsewhere)
  for (const { name, elsewhere } of report.gateways) {
    if (!elsewhere) continue
    const files = `certs/ca.crt and certs/${name}/gateway.crt`
    steps.push(`Bring ${files} back to ${name}, and ${peerFilesOf(plan, name)}.`)
  }
  if (here.length === 0) return steps
  steps.push(...placeSteps(plan, here))
  for (const gateway of here) {
    if (!gateway.signed) steps.push(signingStep(plan, gateway))
  }
  for (const gateway of here) {
    steps.push(...databaseSteps(plan, gateway, changedFor(report, gateway.name)))
  }
  steps.push(...(plan.only === null ? shareSteps(report, here) : exchangeSteps(plan, report)))
  for (const gateway of here) {
    if (changedFor(report, gateway.name).length > 0) steps.push(startStep(gateway))
  }
  return steps
}

/** The keys stay, so nobody else needs anything. */
function renewalStep({ name }: SetupGateway): string {
  const path = `certs/${name}/gateway.crt`
  return `Bring ${path} to ${name}, into the same folder, and restart its gateway.`
}

function placeSteps(plan: SitesPlan, here: readonly SetupGateway[]): string[] {
  const steps: string[] = []
  const isExternal = plan.externalTunnel || here.some(({ file }) => file?.isExternalTunnel)
  if (isExternal && plan.tunnelSubnet === null) {
    for (const { name, tunnelAddress } of here) {
      if (!sameSubnet(tunnelAddress, TUNNEL_SUBNET)) continue
      const { address, prefixLength } = tunnelAddress
      steps.push(
        `Set tunnelAddress in peers/${name}.yaml to the address of ${name} in your VPN, with\n` +
          `its prefix length, at every gateway; it says ${address}/${prefixLength}.`,
      )
    }
  }
  const isGiven = plan.gateways.some(({ endpoint }) => endpoint !== null)
  const isKnown = here.some(({ endpoints }) => endpoints.some(({ host }) => !isExample(host)))
  if (!isExternal && !isGiven && !isKnown) {
    steps.push('See that the endpoints in peers/ are the public addresses of their gateways (UDP).')
  }
  return steps
}

/** Of the ranges for documentation (RFC 5737, RFC 3849), which the example files use. */
function isExample(host: string): boolean {
  return /^(192\.0\.2|198\.51\.100|203\.0\.113)\.|^2001:0?db8:/i.test(host)
}

/** Private keys are packed only on the day on which they are made. */
function shareSteps(report: SetupReport, here: readonly SetupGateway[]): string[] {
  const steps: string[] = []
  for (const { name } of here) {
    const paths = changedFor(report, name)
    if (paths.some((path) => path.startsWith(`certs/${name}/`) && /\.(key|password)$/.test(path))) {
      steps.push(
        `Bring ${name} its share, and nothing of the others':\n` +
          `tar -czf ${name}.tar.gz gateway/${name}.yaml peers certs/ca.crt certs/${name}\n` +
          `It holds ${name}'s private keys: carry it over SSH, then delete it.`,
      )
    } else if (paths.length > 0) {
      steps.push(`Bring ${name} what changed (${paths.join(', ')}), and restart its gateway.`)
    }
  }
  if (changed(report).includes('certs/ca.key')) {
    steps.push(
      'Put certs/ca.key away from all gateways; it is needed for `init --renew` and a new site.',
    )
  }
  return steps
}

function exchangeSteps(plan: SitesPlan, report: SetupReport): string[] {
  const { only } = plan
  const isDone = report.peersMissing.length === 0 && !changed(report).includes(`peers/${only}.yaml`)
  if (isDone) return []
  const theirs = peerFilesOf(plan, only)
  return [`Exchange peers/: every other gateway needs peers/${only}.yaml, this one ${theirs}.`]
}

function signingStep(plan: SitesPlan, { name }: SetupGateway): string {
  const sites = plan.gateways.map((gateway) => gateway.name).join(',')
  return (
    `Get the certificate of ${name}: bring certs/${name}/gateway.pub and peers/${name}.yaml\n` +
    'to the machine with certs/ca.key, run there\n' +
    `landbridge init --sites ${sites} --only ${name}\n` +
    `and bring back certs/ca.crt and certs/${name}/gateway.crt.`
  )
}

/** Credentials exist inside a unit only: a command at a prompt would not find them. */
function startStep({ name, config, file }: SetupGateway): string {
  if (file?.usesCredentials !== true) {
    return `On ${name}: landbridge check --config ${config} && landbridge run --config ${config}`
  }
  return (
    `On ${name}, with these files in /etc/landbridge:\n` +
    `systemd-run --quiet --pipe --wait -p LoadCredential=certs:/etc/landbridge/certs/${name} \\\n` +
    `  landbridge check --config /etc/landbridge/${config}\n` +
    `systemctl enable --now landbridge@${name}`
  )
}

/** Of the others: `peers/azure.yaml, peers/gcp.yaml`. */
function peerFilesOf(plan: SitesPlan, name: string | null): string {
  return otherGateways(plan, name)
    .map((other) => `peers/${other}.yaml`)
    .join(', ')
}

function changed({ files }: SetupReport): string[] {
  return files.filter(({ outcome }) => outcome !== 'kept').map(({ path }) => path)
}

/** What gateway `name` has to get of it. */
function changedFor(report: SetupReport, name: string): string[] {
  const shared = (path: string) => path === 'certs/ca.crt' || path.startsWith('peers/')
  const own = (path: string) => path === `gateway/${name}.yaml` || path.startsWith(`certs/${name}/`)
  return changed(report).filter((path) => shared(path) || own(path))
}
