import { createInterface } from 'node:readline/promises'
import type { Command } from 'commander'
import { LandbridgeError } from '../../base/errors.ts'
import { parseHostPort, parseSubnetAddress } from '../../config/address.ts'
import type { HostPort, SubnetAddress } from '../../config/config.ts'
import { nameSchema } from '../../config/schema.ts'
import { MTU_IPV4, MTU_IPV6, mtuFor } from '../../config/tunnel-mtu.ts'
import { foundPair } from '../../provision/found-pair.ts'
import { renewPair } from '../../provision/pair-renewal.ts'
import { type PairPlan, type SetupReport, setUpPair } from '../../provision/pair-setup.ts'
import { caSetting } from '../../provision/template.ts'
import { output } from '../terminal/terminal.ts'
import { formatSetup, nextSteps } from './setup-report.ts'

interface InitOptions {
  readonly directory: string
  readonly pair: string
  readonly only?: string
  readonly productionEndpoint?: string
  readonly drEndpoint?: string
  readonly tunnelSubnet: string
  readonly externalTunnel?: boolean
  readonly source?: string
  readonly sourceUser: string
  readonly sourceCa?: string
  readonly replicaCa?: string
  readonly relayListen: string
  readonly relayUser: string
  readonly dataDir: string
  readonly credentials?: boolean
  readonly renew?: boolean
  readonly yes?: boolean
  readonly json?: boolean
}

type GivenOptions = Omit<InitOptions, 'pair'> & { readonly pair?: string }

const DESCRIPTION = `Makes the files of a gateway pair: keys, certificates, peer files and
configurations.

On one workstation it makes both gateways' files; each gateway then gets its share (the end of the
output says which files). With --only NAME it makes one gateway's files on that gateway: private
keys never travel, and the machine with certs/ca.key signs certs/NAME/gateway.pub.

It can be repeated: what is there is kept, what is missing is made. Nothing is asked when the
terminal is not interactive, or with --yes. --renew issues new certificates, and that is all.`

export function addInitCommand(program: Command): void {
  program
    .command('init')
    .summary('make keys, certificates, peer files and configurations')
    .description(DESCRIPTION)
    .option('--directory <path>', 'folder for gateway/, peers/ and certs/', '.')
    .option(
      '--pair <production,dr>',
      'names of the two gateways; default: those whose files are there, else ec2,azure',
    )
    .option('--only <name>', 'make the files of this gateway only')
    .option(
      '--production-endpoint <host:port>',
      'where the DR gateway finds the production gateway',
    )
    .option('--dr-endpoint <host:port>', 'where the production gateway finds the DR gateway')
    .option('--tunnel-subnet <cidr>', 'addresses inside the tunnel', DEFAULTS.tunnelSubnet)
    .option('--external-tunnel', 'a VPN of your own joins the sites')
    .option('--source <host:port>', 'the production database')
    .option('--source-user <name>', 'its replication user', DEFAULTS.sourceUser)
    .option('--source-ca <file>', 'who signed the certificate of the production database')
    .option('--replica-ca <file>', 'who signed the certificate of the DR database')
    .option(
      '--relay-listen <host:port>',
      'where replicas connect to the DR gateway',
      '0.0.0.0:3307',
    )
    .option('--relay-user <name>', 'what replicas log in as', DEFAULTS.relayUser)
    .option('--data-dir <path>', 'folder for spool and state', DEFAULTS.dataDir)
    .option('--credentials', 'let the configuration take secrets from systemd credentials')
    .option('--renew', 'issue new certificates for the same keys')
    .option('--yes', 'ask nothing')
    .option('--json', 'print one JSON object')
    .action(async (given: GivenOptions) => {
      const pair = given.pair ?? (await foundPair(given.directory)) ?? 'ec2,azure'
      const options: InitOptions = { ...given, pair }
      const isQuiet = options.yes === true || options.json === true || options.renew === true
      const plan = planOf(process.stdin.isTTY && !isQuiet ? await ask(options) : options)
      const report = plan.renew ? await renewPair(plan) : await setUpPair(plan)
      if (options.json === true) output.writeJson(bodyOf(plan, report))
      else output.show({}, report, (plain) => formatSetup(plan, plain))
    })
}

function bodyOf(plan: PairPlan, report: SetupReport): object {
  return { schema: 1, ok: true, ...report, nextSteps: nextSteps(plan, report) }
}

const DEFAULTS = {
  sourceUser: 'landbridge',
  relayUser: 'replica',
  dataDir: '/var/lib/landbridge',
  tunnelSubnet: '10.77.0.0/30',
} as const

export function planOf(options: InitOptions): PairPlan {
  const [production, dr] = pairOf(options.pair)
  if (options.only !== undefined && ![production, dr].includes(options.only)) {
    throw usage(`--only ${options.only} is not one of the pair ${options.pair}`, 'name one of them')
  }
  const productionEndpoint = hostPort('--production-endpoint', options.productionEndpoint, 51_820)
  const drEndpoint = hostPort('--dr-endpoint', options.drEndpoint, 51_820)
  const source = hostPort('--source', options.source, 3306)
  const [first, second] = tunnelAddresses(options.tunnelSubnet)
  return {
    directory: options.directory,
    production: {
      name: production,
      site: 'production',
      endpoint: productionEndpoint,
      tunnelAddress: first,
    },
    dr: { name: dr, site: 'dr', endpoint: drEndpoint, tunnelAddress: second },
    only: options.only ?? null,
    renew: options.renew === true,
    dataDir: options.dataDir,
    credentials: options.credentials === true,
    externalTunnel: options.externalTunnel === true,
    linkPort: 7400,
    tunnelIsExample: options.tunnelSubnet === DEFAULTS.tunnelSubnet,
    source,
    sourceUser: options.sourceUser,
    relayListen: hostPort('--relay-listen', options.relayListen, 3307) ?? {
      host: '::',
      port: 3307,
    },
    relayUser: options.relayUser,
    sourceCa: options.sourceCa || null,
    replicaCa: options.replicaCa || null,
    given: givenOf(options, { productionEndpoint, drEndpoint, source }),
    nowMs: Date.now(),
  }
}

/** Flags that only a gateway file holds: one that is kept does not follow them. */
function givenOf(
  options: InitOptions,
  places: Readonly<Record<'productionEndpoint' | 'drEndpoint' | 'source', HostPort | null>>,
): PairPlan['given'] {
  const { productionEndpoint, drEndpoint, source } = places
  const mtu = (endpoint: HostPort | null): string | null =>
    endpoint === null || mtuFor([endpoint]) === MTU_IPV4 ? null : `mtu: ${MTU_IPV6}`
  const chosen = (name: 'sourceUser' | 'relayUser' | 'dataDir', key: string): string | null =>
    options[name] === DEFAULTS[name] ? null : `${key}: ${options[name]}`
  const credentials = options.credentials === true
  const [production, dr] = pairOf(options.pair)
  const authority = (path: string | undefined, name: string, file: string): string | null =>
    path ? caSetting({ name, credentials }, file) : null
  const lines: readonly (readonly [flag: string, line: string | null])[] = [
    [
      '--production-endpoint',
      productionEndpoint === null ? null : `listenPort: ${productionEndpoint.port}`,
    ],
    ['--production-endpoint', mtu(productionEndpoint)],
    ['--dr-endpoint', mtu(drEndpoint)],
    ['--source', source === null ? null : `host: ${source.host}`],
    ['--source', source === null ? null : `port: ${source.port}`],
    ['--source-user', chosen('sourceUser', 'user')],
    ['--source-ca', authority(options.sourceCa, production, 'source-ca.crt')],
    ['--replica-ca', authority(options.replicaCa, dr, 'replica-ca.crt')],
    ['--relay-user', chosen('relayUser', 'user')],
    ['--data-dir', chosen('dataDir', 'dataDir')],
    ['--external-tunnel', options.externalTunnel === true ? 'tunnel: external' : null],
  ]
  return lines.flatMap(([flag, line]) => (line === null ? [] : [{ flag, line }]))
}

function pairOf(text: string): readonly [string, string] {
  const [production = '', dr = '', ...more] = text.split(',').map((name) => name.trim())
  const good = [production, dr].every((name) => nameSchema.safeParse(name).success)
  if (good && more.length === 0 && production !== dr) return [production, dr]
  throw usage(`--pair ${text} is not two different names`, 'write --pair PRODUCTION,DR')
}

function hostPort(flag: string, text: string | undefined, defaultPort: number): HostPort | null {
  if (text === undefined || text === '') return null
  const parsed = parseHostPort(text) ?? parseHostPort(`${text}:${defaultPort}`)
  if (parsed === null) throw usage(`${flag} ${text} is not HOST:PORT`, 'write HOST or HOST:PORT')
  return parsed
}

/** The first two addresses of the subnet: production has the first. */
function tunnelAddresses(text: string): readonly [SubnetAddress, SubnetAddress] {
  const subnet = parseSubnetAddress(text)
  const parts = subnet?.address.split('.').map(Number) ?? []
  const last = parts[3]
  if (subnet === null || last === undefined || subnet.prefixLength > 30 || last % 4 !== 0) {
    throw usage(`--tunnel-subnet ${text} is not an IPv4 subnet`, 'write one such as 10.77.0.0/30')
  }
  const at = (offset: number): SubnetAddress => ({
    address: [...parts.slice(0, 3), last + offset].join('.'),
    prefixLength: subnet.prefixLength,
  })
  return [at(1), at(2)]
}

function usage(message: string, remedy: string): LandbridgeError {
  return new LandbridgeError('ERR_USAGE', message, { remedy })
}

async function ask(options: InitOptions): Promise<InitOptions> {
  const terminal = createInterface({ input: process.stdin })
  // Lines that were typed or pasted ahead of their question are kept, unlike with question().
  const lines = terminal[Symbol.asyncIterator]()
  const one = async (question: string, proposal: string) => {
    output.write(`${question} [${proposal}]: `)
    const { value, done } = await lines.next()
    if (done === true) throw usage('the answers ended early', 'answer all, or use --yes with flags')
    return value.trim() || proposal
  }
  try {
    const pair = await one('Names of the two gateways, production first', options.pair)
    const asked = { ...options, pair }
    if (options.externalTunnel === true) return asked
    return {
      ...asked,
      productionEndpoint: await one(
        'Public address of the production gateway, host:port (empty: it only dials)',
        options.productionEndpoint ?? '',
      ),
      drEndpoint: await one(
        'Public address of the DR gateway, host:port (empty: it only dials)',
        options.drEndpoint ?? '',
      ),
      source: await one(
        'The production database, host:port (empty: to be written into the file)',
        options.source ?? '',
      ),
      sourceCa: await one(
        'PEM file of who signed its certificate (empty: a public authority, or not known yet)',
        options.sourceCa ?? '',
      ),
      relayListen: await one('Where replicas connect at the DR gateway', options.relayListen),
    }
  } finally {
    terminal.close()
  }
}
