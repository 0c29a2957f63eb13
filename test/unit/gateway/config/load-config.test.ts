import { chmod, readFile, rm, writeFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { isLandbridgeError } from '../../../../src/base/errors.ts'
import { gatewaySchema } from '../../../../src/gateway/config/gateway-schema.ts'
import { loadConfig } from '../../../../src/gateway/config/load-config.ts'
import { SECTIONS, STREAM_SECTIONS } from '../../../../src/gateway/config/sections.ts'
import { tunnelOptionsOf } from '../../../../src/tunnel/tunnel-options.ts'
import { PairFolder } from '../../../helpers/pair/pair-folder.ts'

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
    site: 'azure',
    dataDir: '/var/lib/landbridge',
    self: { name: 'azure', tunnelAddress: { address: '10.77.0.2', prefixLength: 24 } },
    peers: [{ name: 'ec2', endpoints: [{ host: '198.51.100.20', port: 51_820 }] }],
    tunnel: { kind: 'wireguard', mtuBytes: 1340, keepaliveMs: 25_000, backend: 'auto' },
    link: { windowBytes: 16_777_216, pingMs: 1000 },
    admin: { socketPath: '/run/landbridge/azure.sock' },
    metrics: null,
    alerts: { webhook: null },
  })
  expect(config.streams[0]).toMatchObject({
    name: 'main',
    origin: 'ec2',
    database: null,
    throttle: { bytesPerSecond: null },
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
  })
  expect(JSON.stringify(config)).toContain('"wireguardPrivateKey":"[secret]"')
  expect(Object.isFrozen(config.streams[0]?.spool?.retention)).toBe(true)
})

test('names every problem at once, each with its place, its value and what to do', async () => {
  await using pair = await PairFolder.create()
  await pair.edit(
    'gateway/ec2.yaml',
    ['site: ec2', 'site: EC 2'],
    ['dataDir:', 'datadir:'],
    ['wireguard.key', 'nowhere.key'],
    ['interface: lb0', 'interface: a/b'],
    ['mtu: 1340', 'mtu: 100'],
    ['windowBytes: 16MiB', 'windowBytes: 4096'],
    ['port: 3306', 'port: 0'],
    ['host: 198.51.100.10', 'host: 198.51.100.999'],
    ['passwordFile: ../certs/ec2/database.password', 'password: hunter2'],
    ['# throttle: { bytesPerSecond: 50MiB }', 'throttle: { bytesPerSecond: fast }'],
    ['level: info', 'level: loud'],
  )
  const nowhere = pair.at('certs/ec2/nowhere.key')
  expect(await problemsOf(pair.at('gateway/ec2.yaml'))).toEqual([
    'site: "EC 2" must be 1 to 63 of a-z, 0-9 and -, starting with a letter or digit',
    'dataDir: is missing; it must be the path of a folder',
    'datadir: is not a known key; remove it or correct its spelling',
    `identity.wireguardKey: ${nowhere} cannot be read (ENOENT); create it or correct the path`,
    'tunnel.interface: "a/b" must be 1 to 15 of A-Z, a-z, 0-9 and _ = + . -',
    'tunnel.mtu: 100 must be a whole number from 1280 to 9000',
    'link.windowBytes: 4096 must be a size from 2MiB (two frames of 1 MiB) to 1GiB',
    'log.level: "loud" must be one of: debug, info, warn, error',
    'streams[0].database.host: "198.51.100.999" must be a host name or an IP address',
    'streams[0].database.port: 0 must be a port from 1 to 65535',
    'streams[0].database.password: is not a known key; ' +
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
    ['passwordFile: ../certs/ec2/database.password', 'passwordFile: hunter2'],
  )
  const path = pair.at('gateway/ec2.yaml')
  const error: unknown = await loadConfig(path).catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({
    code: 'ERR_CONFIG',
    message:
      `${path} has 2 problems:\n` +
      '  identity.wireguardKey: the file cannot be read (ENOENT); create it or correct the path\n' +
      '  streams[0].database.passwordFile: the file cannot be read (ENOENT); ' +
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
    'passwordFile: ../certs/ec2/database.password',
    'passwordEnv: SOURCE_PASSWORD',
  ])
  expect(await problemsOf(file)).toEqual([
    'streams[0].database.passwordEnv: the environment variable SOURCE_PASSWORD is not set; ' +
      'set it or use passwordFile',
  ])
  const { streams } = await loadConfig(file, { env: { SOURCE_PASSWORD: 'from outside' } })
  expect(streams[0]?.database?.password.reveal()).toBe('from outside')
  await pair.edit('gateway/ec2.yaml', [
    'passwordEnv: SOURCE_PASSWORD',
    'passwordFile: credential:database.password',
  ])
  expect(await problemsOf(file, {})).toEqual([
    'streams[0].database.passwordFile: /run/credentials/database.password cannot be read ' +
      '(ENOENT); run this with `systemd-run -p LoadCredential=...` (gateway/README.md, "systemd")',
  ])
  const env = { CREDENTIALS_DIRECTORY: pair.at('certs/ec2') }
  expect(await problemsOf(file, env)).toEqual([])
  await pair.edit('gateway/ec2.yaml', ['passwordFile: credential:database.password', ''])
  expect(await problemsOf(file)).toEqual([
    'streams[0].database: has no password; set one of passwordFile and passwordEnv',
  ])
})

test('listeners and addresses that clash are told', async () => {
  await using pair = await PairFolder.create()
  await pair.edit(
    'gateway/azure.yaml',
    ['# metrics:', 'metrics:'],
    ['#   listen: 127.0.0.1:9400', '  listen: 127.0.0.1:3307'],
  )
  await pair.edit('peers/ec2.yaml', ['10.77.0.1/24', '10.88.0.1/24'])
  expect(await problemsOf(pair.at('gateway/azure.yaml'))).toEqual([
    `${pair.at('peers/ec2.yaml')} tunnelAddress: 10.88.0.1/24 is not in the subnet of ` +
      `10.77.0.2/24 (${pair.at('peers/azure.yaml')}); choose both from one subnet`,
    'streams[0].relay.listen: 0.0.0.0:3307 is already taken by metrics.listen; ' +
      'choose another port',
  ])
  await pair.edit('gateway/azure.yaml', ['127.0.0.1:3307', '127.0.0.1:9400'])
  await pair.edit('peers/ec2.yaml', ['10.88.0.1/24', '10.77.0.1/24'])
  await pair.edit('gateway/azure.yaml', ['"0.0.0.0:3307"', '"0.0.0.0:7400"'])
  expect(await problemsOf(pair.at('gateway/azure.yaml'))).toEqual([
    `streams[0].relay.listen: 0.0.0.0:7400 is already taken by ${pair.at('peers/azure.yaml')} ` +
      'linkPort; choose another port',
  ])
})

test('a stream has a database at its origin, and an origin that is known here', async () => {
  await using pair = await PairFolder.create()
  await pair.edit('gateway/azure.yaml', ['origin: ec2', 'origin: azure'])
  expect(await problemsOf(pair.at('gateway/azure.yaml'))).toEqual([
    'streams[0].database: is missing; main has its origin at this site, azure',
  ])
  await pair.edit('gateway/azure.yaml', ['origin: azure', 'origin: tokyo'])
  expect(await problemsOf(pair.at('gateway/azure.yaml'))).toEqual([
    'streams[0].origin: "tokyo" is no site that is known here (azure, ec2); correct it, or add ' +
      'a gateway of that site to `peers`',
  ])
  await pair.edit('gateway/azure.yaml', ['    origin: tokyo', '    # origin'])
  expect(await problemsOf(pair.at('gateway/azure.yaml'))).toEqual([
    expect.stringMatching(/^streams\[0\]\.origin: is missing; it must be 1 to 63 of a-z/),
  ])
})

test('the origin may be where a peer is whose file is still to come', async () => {
  await using pair = await PairFolder.create()
  await pair.edit('gateway/azure.yaml', ['origin: ec2', 'origin: gcp'], ['[ec2]', '[ec2, gcp]'])
  expect(await problemsOf(pair.at('gateway/azure.yaml'))).toEqual([
    expect.stringMatching(/^peers\[1\]: "gcp" has no peer file /),
  ])
})

test('what is wrong with the peers hides no mistake of the streams', async () => {
  await using pair = await PairFolder.create()
  await pair.edit('gateway/azure.yaml', ['origin: ec2', 'origin: tokyo'], ['[ec2]', '[ec2, ec2]'])
  expect(await problemsOf(pair.at('gateway/azure.yaml'))).toEqual([
    'peers[1]: "ec2" is named twice',
    expect.stringMatching(/^streams\[0\]\.origin: "tokyo" is no site that is known here/),
  ])
  const [peers, serverId] = ['peers: [azure]', 'flavor: auto ']
  await pair.edit('gateway/ec2.yaml', [peers, 'peers: [azure, gcp]'])
  await pair.edit('gateway/ec2.yaml', [serverId, `serverId: 4294967295\n      ${serverId}`])
  expect(await problemsOf(pair.at('gateway/ec2.yaml'))).toEqual([
    expect.stringMatching(/^peers\[1\]: "gcp" has no peer file /),
    'streams[0].database.serverId: 4294967295 to 4294967296, one for each peer, goes beyond ' +
      '4294967295; choose a smaller one',
  ])
})

test('a password is one line', async () => {
  await using pair = await PairFolder.create()
  await writeFile(pair.at('certs/ec2/relay.password'), 'one\ntwo\n')
  expect(await problemsOf(pair.at('gateway/ec2.yaml'))).toEqual([
    'streams[0].relay.passwordFile: is of several lines; write the password alone, in one line',
  ])
})

test('no section has the name of another setting', () => {
  const own = ['name', 'site', 'dataDir', 'peersFolder', 'peers', 'streams', 'origin']
  const sections = [...Object.keys(SECTIONS), ...Object.keys(STREAM_SECTIONS)]
  expect(sections.filter((name) => own.includes(name))).toEqual([])
  expect(Object.keys(gatewaySchema.shape).sort()).toEqual(
    [...own.slice(0, -1), ...Object.keys(SECTIONS)].sort(),
  )
})

test('a copy may know its database, and then has to describe it wholly', async () => {
  await using pair = await PairFolder.create()
  await pair.edit('gateway/azure.yaml', ['    # database:  ', '    database:  '])
  expect(await problemsOf(pair.at('gateway/azure.yaml'))).toEqual([
    'streams[0].database: must be a mapping of settings',
  ])
  for (const key of ['host', 'port', 'user', 'passwordFile', 'tls', 'flavor']) {
    await pair.edit('gateway/azure.yaml', [`    #   ${key}:`, `      ${key}:`])
  }
  expect((await loadConfig(pair.at('gateway/azure.yaml'))).streams[0]?.database).toMatchObject({
    host: '203.0.113.10',
    port: 3306,
    user: 'landbridge_replica',
    flavor: 'auto',
    serverId: null,
  })
})

test('three gateways know each other, and who may say that the origin moved', async () => {
  await using pair = await PairFolder.create('gcp')
  await pair.edit('peers/gcp.yaml', ['mayTakeOver: true', 'mayTakeOver: false'])
  await pair.edit('peers/azure.yaml', ['mayTakeOver: true\n', ''])
  const { self, peers, streams } = await loadConfig(pair.at('gateway/ec2.yaml'))
  expect(self).toMatchObject({ name: 'ec2', mayTakeOver: true })
  expect(peers).toMatchObject([
    { name: 'azure', mayTakeOver: false, tunnelAddress: { address: '10.77.0.2' } },
    { name: 'gcp', mayTakeOver: false, tunnelAddress: { address: '10.77.0.3' } },
  ])
  expect(streams[0]?.spool.directory).toBe('/var/lib/landbridge/spool/main')
})

test('peers are other gateways, each once, and at least one', async () => {
  await using pair = await PairFolder.create()
  const file = pair.at('gateway/ec2.yaml')
  await pair.edit('gateway/ec2.yaml', ['peers: [azure]', 'peers: [azure, ec2, azure]'])
  expect(await problemsOf(file)).toEqual([
    'peers[1]: "ec2" must be another gateway, not this one',
    'peers[2]: "azure" is named twice',
  ])
  await pair.edit('gateway/ec2.yaml', ['peers: [azure, ec2, azure]', 'peers: []'])
  expect(await problemsOf(file)).toEqual(['peers: must name at least one gateway'])
  await pair.edit('gateway/ec2.yaml', ['peers: []', 'peer: azure'])
  expect(await problemsOf(file)).toEqual([
    'peers: is missing; it must be a list of the names of gateways',
    'peer: is not a known key; remove it or correct its spelling',
  ])
})

test('no two gateways have the same address, key or certificate, also two peers', async () => {
  await using pair = await PairFolder.create('gcp')
  const text = await readFile(pair.at('peers/azure.yaml'), 'utf8')
  await writeFile(pair.at('peers/gcp.yaml'), text.replaceAll('azure', 'gcp'))
  const [path, other] = [pair.at('peers/gcp.yaml'), pair.at('peers/azure.yaml')]
  expect(await problemsOf(pair.at('gateway/ec2.yaml'))).toEqual([
    `${path} tunnelAddress: 10.77.0.2/24 is the address in ${other}; change one`,
    `${path} wireguardPublicKey: is the same as in ${other}; each gateway needs its own`,
    `${path} certificateFingerprint: is the same as in ${other}; each gateway needs its own`,
  ])
})

test('of two gateways one has an address that the other can reach, or nothing comes', async () => {
  await using pair = await PairFolder.create('gcp')
  await pair.edit('peers/gcp.yaml', ['- 203.0.113.20:51820', '[]'])
  expect(await problemsOf(pair.at('gateway/ec2.yaml'))).toEqual([])
  expect(await problemsOf(pair.at('gateway/azure.yaml'))).toEqual([
    `${pair.at('peers/gcp.yaml')} endpoints: is empty, and so it is for azure; gcp or this ` +
      'gateway needs an address that the other can reach',
  ])
})

test('what is of one stream is not of another: its name, its spool', async () => {
  await using pair = await PairFolder.create()
  const second = '\n  - name: main\n    origin: ec2\n    spool: { directory: spool/main }\n\nadmin:'
  await pair.edit('gateway/azure.yaml', ['\nadmin:', second])
  expect(await problemsOf(pair.at('gateway/azure.yaml'))).toEqual([
    'streams[1].name: "main" is the name of streams[0] too; change one',
  ])
  await pair.edit('gateway/azure.yaml', [
    '  - name: main\n    origin: ec2\n    spool: {',
    '  - name: b\n    origin: ec2\n    spool: {',
  ])
  expect(await problemsOf(pair.at('gateway/azure.yaml'))).toEqual([
    'streams[1].spool.directory: /var/lib/landbridge/spool/main is the spool of stream "main" ' +
      'too; each stream needs its own',
  ])
})

test('the site of a gateway is the one of its own peer file', async () => {
  await using pair = await PairFolder.create()
  await pair.edit('peers/ec2.yaml', ['site: ec2', 'site: virginia'])
  expect(await problemsOf(pair.at('gateway/ec2.yaml'))).toEqual([
    `site: ec2 is not the site virginia of ${pair.at('peers/ec2.yaml')}; correct one`,
  ])
})

test('peers may open the port of the link, at every gateway, and what is allowed', async () => {
  await using pair = await PairFolder.create()
  const firewallOf = async (file: string) => tunnelOptionsOf(await loadConfig(file))?.firewall
  const link = { protocol: 'tcp', port: 7400 }
  expect(await firewallOf(pair.at('gateway/ec2.yaml'))).toEqual({ accept: [link], forward: false })
  const file = pair.at('gateway/azure.yaml')
  expect(await firewallOf(file)).toEqual({ accept: [link], forward: false })
  const asked = 'allow: [22, tcp/9100, udp/161]'
  await pair.edit(
    'gateway/azure.yaml',
    ['# allow: [9100, udp/161]', asked],
    ['# forward: true', 'forward: true'],
  )
  expect(await firewallOf(file)).toEqual({
    accept: [
      link,
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
    ['10.77.0.1/24', '172.16.4.1/24'],
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
    `peers[0]: "azure" has no peer file ${peer} (there are: ec2); correct it, or bring the file`,
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
  ['link: { pingSeconds: 1\nsite: dr\n', 'line 2, column 1: the line is indented too little'],
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
  await pair.edit('gateway/ec2.yaml', ['peers: [azure]', 'peers: [azur]'])
  expect(await problemsOf(pair.at('gateway/ec2.yaml'))).toEqual([
    `peers[0]: "azur" has no peer file ${pair.at('peers/azur.yaml')} (there are: azure, ec2); ` +
      'correct it, or bring the file',
  ])
})
