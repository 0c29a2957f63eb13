import { chmod, rm, writeFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { isLandbridgeError } from '../../../src/base/errors.ts'
import { loadConfig } from '../../../src/config/load-config.ts'
import { tunnelOptionsOf } from '../../../src/config/tunnel-options.ts'
import { PairFolder } from '../../helpers/pair/pair-folder.ts'

async function problemsOf(path: string, env = {}): Promise<string[]> {
  try {
    await loadConfig(path, { env })
    return []
  } catch (error) {
    if (!isLandbridgeError(error) || error.code !== 'ERR_CONFIG') throw error
    const problems = error.details.problems as { path: string; message: string }[]
    return problems.map((problem) => `${problem.path}: ${problem.message}`)
  }
}

test('reads what init wrote: numbers, absolute paths, secrets that do not print', async () => {
  await using pair = await PairFolder.create()
  const config = await loadConfig(pair.at('gateway', 'azure.yaml'))
  expect(config).toMatchObject({
    name: 'azure',
    site: 'dr',
    dataDir: '/var/lib/landbridge',
    self: { name: 'azure', tunnelAddress: { address: '10.77.0.2', prefixLength: 30 } },
    peer: { name: 'ec2', endpoints: [{ host: '198.51.100.20', port: 51_820 }] },
    tunnel: { kind: 'wireguard', mtuBytes: 1340, keepaliveMs: 25_000, backend: 'auto' },
    link: { host: '10.77.0.1', port: 7400, windowBytes: 16_777_216, pingMs: 1000 },
    admin: { socketPath: '/run/landbridge/azure.sock' },
    metrics: null,
  })
  expect(config.streams[0]).toMatchObject({
    name: 'main',
    source: null,
    spool: {
      directory: '/var/lib/landbridge/spool/main',
      retention: {
        ageMs: 604_800_000,
        sizeBytes: 107_374_182_400,
        hardLimit: false,
        replicaAgeMs: 604_800_000,
        minimumHoldMs: 604_800_000,
      },
    },
    relay: { listen: { host: '0.0.0.0', port: 3307 }, user: 'replica', serverId: null },
    replica: null,
  })
  expect(JSON.stringify(config)).toContain('"wireguardPrivateKey":"[secret]"')
  expect(Object.isFrozen(config.streams[0]?.spool?.retention)).toBe(true)
})

test('names every problem at once, each with its place, its value and what to do', async () => {
  await using pair = await PairFolder.create()
  await pair.edit(
    'gateway/ec2.yaml',
    ['site: production', 'site: prod'],
    ['dataDir:', 'datadir:'],
    ['wireguard.key', 'nowhere.key'],
    ['interface: lb0', 'interface: a/b'],
    ['mtu: 1340', 'mtu: 100'],
    ['windowBytes: 16MiB', 'windowBytes: 4096'],
    ['port: 3306', 'port: 0'],
    ['host: 198.51.100.10', 'host: 198.51.100.999'],
    ['passwordFile: ../certs/ec2/source.password', 'password: hunter2'],
    ['# throttle: { bytesPerSecond: 50MiB }', 'throttle: { bytesPerSecond: fast }'],
    ['level: info', 'level: loud'],
  )
  const nowhere = pair.at('certs/ec2/nowhere.key')
  expect(await problemsOf(pair.at('gateway/ec2.yaml'))).toEqual([
    'site: "prod" must be one of: production, dr',
    'dataDir: is missing; it must be the path of a folder',
    'datadir: is not a known key; remove it or correct its spelling',
    `identity.wireguardKey: ${nowhere} cannot be read (ENOENT); create it or correct the path`,
    'tunnel.interface: "a/b" must be 1 to 15 of A-Z, a-z, 0-9 and _ = + . -',
    'tunnel.mtu: 100 must be a whole number from 1280 to 9000',
    'link.windowBytes: 4096 must be a size from 2MiB (two frames of 1 MiB) to 1GiB',
    'log.level: "loud" must be one of: debug, info, warn, error',
    'streams[0].source.host: "198.51.100.999" must be a host name or an IP address',
    'streams[0].source.port: 0 must be a port from 1 to 65535',
    'streams[0].source.password: is not a known key; ' +
      'name a file with passwordFile or a variable with passwordEnv',
    'streams[0].throttle.bytesPerSecond: "fast" must be a size such as 16MiB or 50MB',
  ])
})

test('a retention that would keep nothing is a mistake', async () => {
  await using pair = await PairFolder.create()
  await pair.edit('gateway/azure.yaml', ['age: 7d, size: 100GiB', 'age: 0s, size: 0'])
  expect(await problemsOf(pair.at('gateway/azure.yaml'))).toEqual([
    'streams[0].spool.retention.age: "0s" must be at least 1m',
    'streams[0].spool.retention.size: 0 must be at least 1KiB; ' +
      'what a replica needs is kept all the same',
  ])
})

test('the text of the error is the list, and no secret is in it', async () => {
  await using pair = await PairFolder.create()
  const key = 'yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk='
  await pair.edit(
    'gateway/ec2.yaml',
    ['../certs/ec2/wireguard.key', key],
    ['passwordFile: ../certs/ec2/source.password', 'passwordFile: hunter2'],
  )
  const path = pair.at('gateway/ec2.yaml')
  const error: unknown = await loadConfig(path).catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({
    code: 'ERR_CONFIG',
    message:
      `${path} has 2 problems:\n` +
      '  identity.wireguardKey: the file cannot be read (ENOENT); create it or correct the path\n' +
      '  streams[0].source.passwordFile: the file cannot be read (ENOENT); ' +
      'create it or correct the path',
  })
  expect(JSON.stringify(error)).not.toMatch(/hunter2|yAnz5TF/)
})

test('a key that every user can read is a problem', async () => {
  await using pair = await PairFolder.create()
  const key = pair.at('certs/ec2/gateway.key')
  await chmod(key, 0o644)
  expect(await problemsOf(pair.at('gateway/ec2.yaml'))).toEqual([
    `identity.privateKey: ${key} is open to every user (mode 0644); run \`chmod 600\` on it`,
  ])
})

test('a password comes from one place: a file, a variable or a credential', async () => {
  await using pair = await PairFolder.create()
  const file = pair.at('gateway/ec2.yaml')
  await pair.edit('gateway/ec2.yaml', [
    'passwordFile: ../certs/ec2/source.password',
    'passwordEnv: SOURCE_PASSWORD',
  ])
  expect(await problemsOf(file)).toEqual([
    'streams[0].source.passwordEnv: the environment variable SOURCE_PASSWORD is not set; ' +
      'set it or use passwordFile',
  ])
  const { streams } = await loadConfig(file, { env: { SOURCE_PASSWORD: 'from outside' } })
  expect(streams[0]?.source?.password.reveal()).toBe('from outside')
  await pair.edit('gateway/ec2.yaml', [
    'passwordEnv: SOURCE_PASSWORD',
    'passwordFile: credential:source.password',
  ])
  expect(await problemsOf(file, {})).toEqual([
    'streams[0].source.passwordFile: /run/credentials/source.password cannot be read (ENOENT); ' +
      'run this with `systemd-run -p LoadCredential=...` (gateway/README.md, "systemd")',
  ])
  const env = { CREDENTIALS_DIRECTORY: pair.at('certs/ec2') }
  expect(await problemsOf(file, env)).toEqual([])
  await pair.edit('gateway/ec2.yaml', ['passwordFile: credential:source.password', ''])
  expect(await problemsOf(file)).toEqual([
    'streams[0].source: has no password; set one of passwordFile and passwordEnv',
  ])
})

test('what belongs to the other site, or clashes, is told', async () => {
  await using pair = await PairFolder.create()
  await pair.edit(
    'gateway/azure.yaml',
    ['# metrics:', 'metrics:'],
    ['#   listen: 127.0.0.1:9400', '  listen: 127.0.0.1:3307'],
    ['    spool:\n', '    throttle: { bytesPerSecond: 1MiB }\n    spool:\n'],
  )
  await pair.edit(
    'peers/ec2.yaml',
    ['10.77.0.1/30', '10.88.0.1/30'],
    ['site: production', 'site: dr'],
  )
  expect(await problemsOf(pair.at('gateway/azure.yaml'))).toEqual([
    'streams[0].throttle: belongs into the file of the gateway at site production; move it',
    'peer: "ec2" is at site dr too; its peer file must say production',
    `${pair.at('peers/ec2.yaml')} tunnelAddress: 10.88.0.1/30 is not in the subnet of ` +
      `10.77.0.2/30 (${pair.at('peers/azure.yaml')}); choose both from one subnet`,
    'streams[0].relay.listen: 0.0.0.0:3307 is already taken by metrics.listen; ' +
      'choose another port',
  ])
})

test('the peer may open the port of the link, where it listens, and what is allowed', async () => {
  await using pair = await PairFolder.create()
  const firewallOf = async (file: string) => tunnelOptionsOf(await loadConfig(file))?.firewall
  const link = { protocol: 'tcp', port: 7400 }
  expect(await firewallOf(pair.at('gateway/ec2.yaml'))).toEqual({ accept: [link], forward: false })
  const file = pair.at('gateway/azure.yaml')
  expect(await firewallOf(file)).toEqual({ accept: [], forward: false })
  const asked = 'allow: [22, tcp/9100, udp/161]'
  await pair.edit(
    'gateway/azure.yaml',
    ['# allow: [9100, udp/161]', asked],
    ['# forward: true', 'forward: true'],
  )
  expect(await firewallOf(file)).toEqual({
    accept: [
      { protocol: 'tcp', port: 22 },
      { protocol: 'tcp', port: 9100 },
      { protocol: 'udp', port: 161 },
    ],
    forward: true,
  })
  const wrong = 'allow: [0, 70000, ssh, tcp/, sctp/22, "22 "]'
  await pair.edit('gateway/azure.yaml', [asked, wrong])
  expect(await problemsOf(file)).toEqual(
    ['0', '70000', '"ssh"', '"tcp/"', '"sctp/22"', '"22 "'].map(
      (value, index) =>
        `tunnel.allow[${index}]: ${value} must be a TCP port such as 9100, or udp/161`,
    ),
  )
})

test('an external tunnel may have addresses of any subnets and no endpoint', async () => {
  await using pair = await PairFolder.create()
  await pair.edit(
    'peers/ec2.yaml',
    ['10.77.0.1/30', '172.16.4.1/24'],
    ['- 198.51.100.20:51820', '[]'],
  )
  await pair.edit('gateway/azure.yaml', ['tunnel:  ', 'tunnel: external\nunused:  '])
  expect(await problemsOf(pair.at('gateway/azure.yaml'))).toEqual([
    'unused: is not a known key; remove it or correct its spelling',
  ])
})

test.each([
  'name: *nowhere',
  'a: &a [b, b]\nb: &b [*a, *a, *a]\nc: &c [*b, *b, *b]\nd: [*c, *c, *c]',
])('aliases that lead nowhere or to a huge file are a problem of it: %j', async (text) => {
  await using pair = await PairFolder.create()
  await writeFile(pair.at('gateway', 'azure.yaml'), text)
  expect(await problemsOf(pair.at('gateway', 'azure.yaml'))).toEqual([
    expect.stringContaining('has aliases (*name) without an anchor (&name), or too many'),
  ])
})

test('a missing peer file and broken YAML are named with their place', async () => {
  await using pair = await PairFolder.create()
  const peer = pair.at('peers/azure.yaml')
  await rm(peer)
  expect(await problemsOf(pair.at('gateway/ec2.yaml'))).toEqual([
    `peer: "azure" has no peer file ${peer} (there are: ec2); correct it, or bring the file`,
  ])
  await writeFile(peer, 'name: azure\nname: azure\nsecret: [hunter2\n')
  const problems = await problemsOf(pair.at('gateway/ec2.yaml'))
  expect(problems[0]).toBe(
    `${peer}: line 2, column 1: the key stands twice in this section; remove one`,
  )
  expect(problems.join()).not.toContain('hunter2')
})

test.each([
  [
    'name: azure\n\tsite: dr\n',
    'line 2, column 1: the line is indented with a tab; YAML takes spaces',
  ],
  ['name: "azure\nsite: dr\n', 'something is missing here: a closing quote or bracket'],
  ['link: { port: 1\nsite: dr\n', 'line 2, column 1: the line is indented too little'],
  ['name: a\n---\nname: b\n', 'a line of --- begins a second document'],
  ['name: @a\n', 'a value cannot begin with this character'],
  ['name: a: b\n', 'line 1, column 7: a second "key: value" stands on the same line'],
])('what is wrong with the YAML %j is said in words, with line and column', async (text, words) => {
  await using pair = await PairFolder.create()
  await writeFile(pair.at('gateway', 'azure.yaml'), text)
  const problems = await problemsOf(pair.at('gateway', 'azure.yaml'))
  expect(problems.join('\n')).toContain(words)
  expect(problems.join('\n')).not.toMatch(/[A-Z]_[A-Z]/)
})

test('a wrong peer, name or folder of peers is named by its setting', async () => {
  await using pair = await PairFolder.create()
  await pair.edit('gateway/ec2.yaml', ['peer: azure', 'peer: azur'])
  expect(await problemsOf(pair.at('gateway/ec2.yaml'))).toEqual([
    `peer: "azur" has no peer file ${pair.at('peers/azur.yaml')} (there are: azure, ec2); ` +
      'correct it, or bring the file',
  ])
})
