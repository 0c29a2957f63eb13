import type { Command } from 'commander'
import { LandbridgeError } from '../../base/errors.ts'
import { type FoundSites, foundSites } from '../../provision/found-sites.ts'
import type { SetupReport, SitesPlan } from '../../provision/sites-plan.ts'
import { renewSites } from '../../provision/sites-renewal.ts'
import { setUpSites } from '../../provision/sites-setup.ts'
import { output } from '../terminal/terminal.ts'
import { DEFAULTS, type InitOptions, parseSites, planOf } from './init-plan.ts'
import { askOptions } from './init-questions.ts'
import { formatSetup, nextSteps } from './setup-report.ts'

type GivenOptions = Omit<InitOptions, 'sites'> & { readonly sites?: string }

const DESCRIPTION = `Makes the files of the gateways, one a site: keys, certificates, peer files and
configurations.

On one workstation it makes all gateways' files; each gateway then gets its share (the end of the
output says which files). With --only NAME it makes one gateway's files on that gateway: private
keys never travel, and the machine with certs/ca.key signs certs/NAME/gateway.pub.

It can be repeated: what is there is kept, what is missing is made. So a site that comes later is
added by naming all: --sites ec2,azure,gcp. Nothing is asked when the terminal is not interactive,
or with --yes. --renew issues new certificates, and that is all.

A flag with NAME=VALUE is of one site and can be repeated.`

export function addInitCommand(program: Command): void {
  const command = program
    .command('init')
    .summary('make keys, certificates, peer files and configurations')
    .description(DESCRIPTION)
    .option('--directory <path>', 'folder for gateway/, peers/ and certs/', '.')
    .option(
      '--sites <names>',
      'all sites, the origin first; default: those whose files are there, else ec2,azure',
    )
    .option('--origin <name>', 'the site whose database is copied, when it is not the first')
    .option('--only <name>', 'make the files of this gateway only')
  const perSite = (flag: string, text: string) =>
    command.option(flag, text, (value: string, before: string[] = []) => [...before, value])
  perSite('--endpoint <name=host:port>', 'where the other gateways find this one')
  perSite('--database <name=host:port>', 'the database of this site')
  perSite('--database-user <name=user>', 'what this gateway logs in to it as')
  perSite('--database-ca <name=file>', "who signed the database's certificate")
  perSite(
    '--relay-listen <name=host:port>',
    `where the database of a copy finds its gateway; default: ${DEFAULTS.relayListen}`,
  )
  perSite('--relay-user <name=user>', 'what it logs in to the gateway as; default: replica')
  command
    .option(
      '--may-take-over <names>',
      'sites that may make themselves the origin, or none; default: all',
    )
    .option('--tunnel-subnet <cidr>', 'addresses inside the tunnel; default: 10.77.0.0/24')
    .option('--external-tunnel', 'a VPN of your own joins the sites')
    .option('--data-dir <path>', 'folder for spool and state', DEFAULTS.dataDir)
    .option('--credentials', 'let the configuration take secrets from systemd credentials')
    .option('--renew', 'issue new certificates for the same keys')
    .option('--yes', 'ask nothing')
    .option('--json', 'print one JSON object')
    .action(async (given: GivenOptions) => {
      const options = await withSites(given)
      const isQuiet = options.yes === true || options.json === true || options.renew === true
      const plan = planOf(process.stdin.isTTY && !isQuiet ? await askOptions(options) : options)
      const report = plan.renew ? await renewSites(plan) : await setUpSites(plan)
      if (options.json === true) output.writeJson(bodyOf(plan, report))
      else output.show({}, report, (plain) => formatSetup(plan, plain))
    })
}

/** Those that are named, else those whose files are there; with the origin that the files have. */
async function withSites(given: GivenOptions): Promise<InitOptions> {
  const found = await foundSites(given.directory)
  const sites = given.sites === undefined ? sitesOf(found) : parseSites(given.sites)
  const origin = found?.origin ?? null
  const isKnown = origin !== null && sites.includes(origin)
  const foundWithoutTakeOver = found?.withoutTakeOver ?? []
  return { ...given, sites, foundWithoutTakeOver, ...(isKnown && { foundOrigin: origin }) }
}

function sitesOf(found: FoundSites | null): readonly string[] {
  if (found === null) return DEFAULTS.sites
  const [name = '', ...others] = found.names
  if (others.length > 0) return found.names
  throw new LandbridgeError('ERR_USAGE', `peers/ has one site alone, ${name}`, {
    remedy: `name all of them: --sites ${name},OTHER`,
  })
}

function bodyOf(plan: SitesPlan, report: SetupReport): object {
  return { schema: 1, ok: true, ...report, nextSteps: nextSteps(plan, report) }
}
