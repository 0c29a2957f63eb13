import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { runChecks } from '../../../src/cli/check/check-command.ts'
import { formatSetup, nextSteps } from '../../../src/cli/init/setup-report.ts'
import { loadConfig } from '../../../src/gateway/config/load-config.ts'
import { foundSites } from '../../../src/provision/found-sites.ts'
import { renewSites } from '../../../src/provision/sites-renewal.ts'
import { setUpSites } from '../../../src/provision/sites-setup.ts'
import {
  changeGateways,
  gatewayPlan,
  PairFolder,
  sitesPlan,
} from '../../helpers/pair/pair-folder.ts'

async function offlineFindings(path: string): Promise<string[]> {
  const findings = await runChecks(await loadConfig(path), { offline: true })
  return findings.map(({ severity, message }) => `${severity}: ${message}`)
}

test('both configurations pass the offline check; secrets are for their owner alone', async () => {
  await using pair = await PairFolder.create()
  for (const name of ['ec2', 'azure']) {
    const path = pair.at('gateway', `${name}.yaml`)
    expect(await offlineFindings(path)).toEqual([
      `ok: ${path} and its files are good`,
      'ok: keys, certificate and peer file belong together',
      expect.stringMatching(/^ok: main: this site, ec2, is the origin|^ok: main: .* copy of ec2/),
      ...(name === 'azure' ? [expect.stringMatching(/^warning: main: .*no database/)] : []),
    ])
  }
  const secrets = ['ca.key', 'ec2/gateway.key', 'ec2/wireguard.key', 'azure/relay.password']
  for (const file of secrets) {
    expect((await stat(pair.at('certs', file))).mode & 0o777).toBe(0o600)
  }
})

test('a second run keeps everything and says so', async () => {
  await using pair = await PairFolder.create()
  const key = await readFile(pair.at('certs/ec2/wireguard.key'), 'utf8')
  const { files } = await setUpSites(sitesPlan(pair.path))
  expect(new Set(files.map(({ outcome }) => outcome))).toEqual(new Set(['kept']))
  expect(await readFile(pair.at('certs/ec2/wireguard.key'), 'utf8')).toBe(key)
})

test('a renewal changes the certificates and nothing else', async () => {
  await using pair = await PairFolder.create()
  const peer = await readFile(pair.at('peers/ec2.yaml'), 'utf8')
  const old = await readFile(pair.at('certs/ec2/gateway.crt'), 'utf8')
  const plan = sitesPlan(pair.path, { renew: true })
  const report = await renewSites(plan)
  expect(report.files).toEqual([
    { path: 'certs/ec2/gateway.crt', outcome: 'renewed' },
    { path: 'certs/azure/gateway.crt', outcome: 'renewed' },
  ])
  expect(nextSteps(plan, report)).toEqual([
    'Bring certs/ec2/gateway.crt to ec2, into the same folder, and restart its gateway.',
    'Bring certs/azure/gateway.crt to azure, into the same folder, and restart its gateway.',
  ])
  expect(formatSetup(plan, report)).not.toContain('tar ')
  expect(await readFile(pair.at('peers/ec2.yaml'), 'utf8')).toBe(peer)
  expect(await readFile(pair.at('certs/ec2/gateway.crt'), 'utf8')).not.toBe(old)
  expect(await offlineFindings(pair.at('gateway/ec2.yaml'))).toHaveLength(3)
})

test.each([
  ['certs/ca.key', 'authority', []],
  ['certs/ca.crt', 'authority', []],
  ['certs/azure/gateway.crt', '--sites', ['certs/azure/gateway.key']],
])('a renewal without %s renews nothing and says so', async (file, remedy, more) => {
  await using pair = await PairFolder.create()
  for (const path of [file, ...more]) await rm(pair.at(path))
  const files = await readdir(pair.path, { recursive: true })
  const old = await readFile(pair.at('certs/ec2/gateway.crt'), 'utf8')
  await expect(renewSites(sitesPlan(pair.path, { renew: true }))).rejects.toMatchObject({
    code: 'ERR_USAGE',
    message: expect.stringContaining('nothing was renewed'),
    remedy: expect.stringContaining(remedy),
  })
  expect(await readdir(pair.path, { recursive: true })).toEqual(files)
  expect(await readFile(pair.at('certs/ec2/gateway.crt'), 'utf8')).toBe(old)
})

test('a renewal needs the public half of a key and no more', async () => {
  await using pair = await PairFolder.create()
  const plan = sitesPlan(pair.path, { renew: true })
  await rm(pair.at('certs/ec2/gateway.key'))
  await rm(pair.at('gateway'), { recursive: true })
  expect((await renewSites(plan)).gateways).toMatchObject([{ name: 'ec2' }, { name: 'azure' }])
  // A key that the peer file does not pin would be refused by the other gateway.
  await copyFile(pair.at('certs/azure/gateway.crt'), pair.at('certs/ec2/gateway.crt'))
  await expect(renewSites(plan)).rejects.toMatchObject({ code: 'ERR_USAGE' })
})

test('the sites of a folder are found, the origin first', async () => {
  await using pair = await PairFolder.create()
  expect(await foundSites(pair.path)).toEqual({
    names: ['ec2', 'azure'],
    origin: 'ec2',
    withoutTakeOver: [],
  })
  // On a gateway the peer files of others may still be missing.
  await rm(pair.at('peers/azure.yaml'))
  expect(await foundSites(pair.path)).toEqual({
    names: ['ec2', 'azure'],
    origin: 'ec2',
    withoutTakeOver: [],
  })
  // Where only public halves are, nobody says who is the origin.
  await rm(pair.at('gateway'), { recursive: true })
  expect(await foundSites(pair.path)).toEqual({
    names: ['ec2'],
    origin: null,
    withoutTakeOver: [],
  })
  const other = sitesPlan(pair.path, { gateways: [gatewayPlan('tokyo'), gatewayPlan('paris')] })
  await expect(setUpSites({ ...other, origin: 'tokyo' })).rejects.toMatchObject({
    code: 'ERR_USAGE',
    remedy: expect.stringContaining('--sites ec2'),
  })
  const empty = await mkdtemp(join(tmpdir(), 'landbridge-empty-'))
  expect(await foundSites(empty)).toBeNull()
  await rm(empty, { recursive: true })
})

test('a run that changes nothing sends nobody back to the beginning', async () => {
  await using pair = await PairFolder.create()
  await pair.edit('gateway/ec2.yaml', ['198.51.100.10', 'db.example.net'])
  await pair.edit('peers/ec2.yaml', ['198.51.100.20', '100.64.7.7'])
  const plan = changeGateways(sitesPlan(pair.path), { ec2: { endpoint: null } })
  const report = await setUpSites(plan)
  expect(nextSteps(plan, report)).toEqual([])
  expect(formatSetup(plan, report)).toContain('Nothing is left to do here.')
})

test('what is still open is told again: an example as source, an example as endpoint', async () => {
  await using pair = await PairFolder.create()
  const plan = changeGateways(sitesPlan(pair.path), { ec2: { endpoint: null } })
  expect(nextSteps(plan, await setUpSites(plan))).toEqual([
    'See that the endpoints in peers/ are the public addresses of their gateways (UDP).',
    'Set the host of the database in gateway/ec2.yaml.',
  ])
})

test('with credentials the steps are those of a unit', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'landbridge-credentials-'))
  const plan = sitesPlan(folder, { credentials: true })
  const text = nextSteps(plan, await setUpSites(plan)).join('\n')
  expect(text).toContain('LoadCredential=certs:/etc/landbridge/certs/azure')
  expect(text).toContain('check --config /etc/landbridge/gateway/azure.yaml')
  expect(text).toContain('systemctl enable --now landbridge@ec2')
  expect(text).not.toContain('landbridge run')
  // Also when the flag is not repeated: the file says it.
  await rm(join(folder, 'peers/ec2.yaml'))
  const again = sitesPlan(folder)
  expect(nextSteps(again, await setUpSites(again)).join()).toContain('systemctl enable --now')
  await rm(folder, { recursive: true })
})

test('with a VPN of one’s own the tunnel addresses are to be set, until they are', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'landbridge-external-'))
  const plan = changeGateways(sitesPlan(folder, { externalTunnel: true }), {
    ec2: { endpoint: null },
  })
  const steps = nextSteps(plan, await setUpSites(plan))
  for (const [at, name] of ['ec2', 'azure'].entries()) {
    expect(steps[at]).toContain(`Set tunnelAddress in peers/${name}.yaml`)
  }
  expect(steps.join()).not.toContain('endpoint')
  for (const { name } of plan.gateways) {
    const path = join(folder, 'peers', `${name}.yaml`)
    const text = await readFile(path, 'utf8')
    await writeFile(path, text.replace(/10\.77\.0\.\d/, `10.9.8.${name.length}`))
  }
  expect(nextSteps(plan, await setUpSites(plan)).join()).not.toContain('tunnelAddress')
  await rm(folder, { recursive: true })
})

test.each([
  ['198.51.100.20', 1340],
  ['2001:db8::1', 1320],
  ['vpn.example.net', 1320],
])('with the endpoint %s both gateways have an mtu of %i', async (host, mtuBytes) => {
  const folder = await mkdtemp(join(tmpdir(), 'landbridge-mtu-'))
  const endpoint = { host, port: 51_820 }
  await setUpSites(changeGateways(sitesPlan(folder), { ec2: { endpoint } }))
  for (const name of ['ec2', 'azure']) {
    const path = join(folder, 'gateway', `${name}.yaml`)
    expect((await loadConfig(path)).tunnel).toMatchObject({ mtuBytes })
    // Where the setting is missing it is the same, by the peer files.
    const text = await readFile(path, 'utf8')
    await writeFile(path, text.replace(/^ {2}mtu: .*$/m, ''))
    expect((await loadConfig(path)).tunnel).toMatchObject({ mtuBytes })
    await writeFile(path, text.replace(/^ {2}mtu: \d+/m, '  mtu: 1340'))
    const warnings = (await offlineFindings(path)).filter((line) => line.startsWith('warning: mtu'))
    expect(warnings).toHaveLength(host.includes(':') ? 1 : 0)
  }
  await rm(folder, { recursive: true })
})

test('a lost key is made anew and the peer file follows it', async () => {
  await using pair = await PairFolder.create()
  await rm(pair.at('certs/ec2/wireguard.key'))
  const before = await readFile(pair.at('peers/ec2.yaml'), 'utf8')
  await setUpSites(sitesPlan(pair.path))
  expect(await readFile(pair.at('peers/ec2.yaml'), 'utf8')).not.toBe(before)
  expect(await offlineFindings(pair.at('gateway/ec2.yaml'))).toHaveLength(3)
})

test('keys that are not those of the peer file are found by the check', async () => {
  await using pair = await PairFolder.create()
  await copyFile(pair.at('certs/azure/wireguard.key'), pair.at('certs/ec2/wireguard.key'))
  expect(await offlineFindings(pair.at('gateway/ec2.yaml'))).toContain(
    'error: the WireGuard key is not the one whose public half is in the peer file',
  )
})

test('a gateway makes its keys itself and gets its certificate from the authority', async () => {
  await using office = await PairFolder.create()
  const gateway = await mkdtemp(join(tmpdir(), 'landbridge-gateway-'))
  try {
    const own = sitesPlan(gateway, { only: 'ec2' })
    const first = await setUpSites(own)
    expect(first.gateways).toMatchObject([{ name: 'ec2', signed: false }])
    expect(nextSteps(own, first)[0]).toContain('bring certs/ec2/gateway.pub and peers/ec2.yaml')
    await rm(office.at('certs/ec2'), { recursive: true })
    await mkdir(office.at('certs/ec2'))
    for (const file of ['peers/ec2.yaml', 'certs/ec2/gateway.pub']) {
      await copyFile(join(gateway, file), office.at(file))
    }
    const signed = await setUpSites(sitesPlan(office.path, { only: 'ec2' }))
    expect(nextSteps(sitesPlan(office.path, { only: 'ec2' }), signed)[0]).toBe(
      'Bring certs/ca.crt and certs/ec2/gateway.crt back to ec2, and peers/azure.yaml.',
    )
    expect(signed.files.map(({ path, outcome }) => `${outcome} ${path}`)).toEqual([
      'kept certs/ca.crt',
      'kept certs/ca.key',
      'created certs/ec2/gateway.crt',
      'kept peers/ec2.yaml',
    ])
    for (const file of ['certs/ca.crt', 'certs/ec2/gateway.crt', 'peers/azure.yaml']) {
      await copyFile(office.at(file), join(gateway, file))
    }
    expect(await offlineFindings(join(gateway, 'gateway/ec2.yaml'))).toHaveLength(3)
    expect((await setUpSites(own)).gateways).toMatchObject([{ signed: true }])
  } finally {
    await rm(gateway, { recursive: true })
  }
})

test('says before making anything that two gateways could never meet', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'landbridge-empty-'))
  const plan = changeGateways(sitesPlan(folder), { ec2: { endpoint: null } })
  await expect(setUpSites(plan)).rejects.toMatchObject({ code: 'ERR_USAGE' })
  await rm(folder, { recursive: true })
})

test('prints no secret', async () => {
  await using pair = await PairFolder.create()
  await rm(pair.at('certs'), { recursive: true })
  const plan = sitesPlan(pair.path)
  const text = formatSetup(plan, await setUpSites(plan))
  for (const file of ['wireguard.key', 'database.password', 'relay.password']) {
    const secret = await readFile(pair.at('certs/ec2', file), 'utf8')
    expect(text).not.toContain(secret.trim())
  }
  expect(text).toContain('tar -czf azure.tar.gz gateway/azure.yaml peers certs/ca.crt certs/azure')
})

test('a flag that a kept file does not follow is told with the line to write', async () => {
  await using pair = await PairFolder.create()
  const given = [
    { flag: '--database', line: 'host: 198.51.100.10', gateway: 'ec2' },
    { flag: '--database', line: 'port: 3307', gateway: 'ec2' },
    // A copy's file has the host in a comment only.
    { flag: '--database', line: 'host: 203.0.113.10', gateway: 'azure' },
    { flag: '--relay-user', line: 'user: dr', gateway: 'azure' },
  ]
  const plan = changeGateways(sitesPlan(pair.path, { given }), {
    ec2: { database: { host: '198.51.100.10', port: 3307 } },
    azure: { database: { host: '203.0.113.10', port: 3306 }, relayUser: 'dr' },
  })
  const report = await setUpSites(plan)
  expect(nextSteps(plan, report).slice(0, 3)).toEqual([
    'gateway/ec2.yaml was kept: for --database write `port: 3307` into it.',
    'gateway/azure.yaml was kept: for --database write `host: 203.0.113.10` into it.',
    'gateway/azure.yaml was kept: for --relay-user write `user: dr` into it.',
  ])
})

test('what root replaced stays readable for the gateway’s own user', async () => {
  await using pair = await PairFolder.create()
  const endpoint = { host: '198.51.100.99', port: 51_820 }
  await setUpSites(changeGateways(sitesPlan(pair.path), { ec2: { endpoint } }))
  await renewSites(sitesPlan(pair.path, { renew: true }))
  for (const file of ['peers/ec2.yaml', 'certs/ec2/gateway.crt']) {
    expect((await stat(pair.at(file))).mode & 0o777).toBe(0o644)
  }
})

test('each gateway listens at the port of its own endpoint', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'landbridge-ports-'))
  const endpoint = { host: '203.0.113.20', port: 4500 }
  await setUpSites(changeGateways(sitesPlan(folder), { azure: { endpoint } }))
  expect(await readFile(join(folder, 'gateway/azure.yaml'), 'utf8')).toContain('listenPort: 4500 ')
  expect(await readFile(join(folder, 'gateway/ec2.yaml'), 'utf8')).toContain('listenPort: 51820 ')
  await rm(folder, { recursive: true })
})

test('the authority of a database is copied, and its configuration names it', async () => {
  await using pair = await PairFolder.create()
  await rm(pair.at('gateway/ec2.yaml'))
  const databaseCa = pair.at('certs/ca.crt')
  const plan = changeGateways(sitesPlan(pair.path), { ec2: { databaseCa }, azure: { databaseCa } })
  const report = await setUpSites(plan)
  expect(report.files).toContainEqual({ path: 'certs/ec2/database-ca.crt', outcome: 'created' })
  expect(report.files).toContainEqual({ path: 'certs/azure/database-ca.crt', outcome: 'created' })
  expect(nextSteps(plan, report).join()).not.toContain('--database-ca')
  const { streams } = await loadConfig(pair.at('gateway/ec2.yaml'))
  const caPem = await readFile(databaseCa, 'utf8')
  expect(streams[0]?.database?.tls).toMatchObject({ mode: 'verify-identity', caPem })
  // Without the flag the next time, what is there is kept.
  const kept = await setUpSites(sitesPlan(pair.path))
  expect(kept.files).toContainEqual({ path: 'certs/ec2/database-ca.crt', outcome: 'kept' })
  const wrong = changeGateways(plan, { ec2: { databaseCa: pair.at('certs/ca.key') } })
  await expect(setUpSites(wrong)).rejects.toMatchObject({ code: 'ERR_USAGE' })
})
