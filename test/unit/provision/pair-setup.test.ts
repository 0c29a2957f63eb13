import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { runChecks } from '../../../src/cli/check/check-command.ts'
import { formatSetup, nextSteps } from '../../../src/cli/init/setup-report.ts'
import { loadConfig } from '../../../src/config/load-config.ts'
import { foundPair } from '../../../src/provision/found-pair.ts'
import { renewPair } from '../../../src/provision/pair-renewal.ts'
import { setUpPair } from '../../../src/provision/pair-setup.ts'
import { PairFolder, pairPlan } from '../../helpers/pair/pair-folder.ts'

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
  const { files } = await setUpPair(pairPlan(pair.path))
  expect(new Set(files.map(({ outcome }) => outcome))).toEqual(new Set(['kept']))
  expect(await readFile(pair.at('certs/ec2/wireguard.key'), 'utf8')).toBe(key)
})

test('a renewal changes the certificates and nothing else', async () => {
  await using pair = await PairFolder.create()
  const peer = await readFile(pair.at('peers/ec2.yaml'), 'utf8')
  const old = await readFile(pair.at('certs/ec2/gateway.crt'), 'utf8')
  const plan = pairPlan(pair.path, { renew: true })
  const report = await renewPair(plan)
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
  expect(await offlineFindings(pair.at('gateway/ec2.yaml'))).toHaveLength(2)
})

test.each([
  ['certs/ca.key', 'authority', []],
  ['certs/ca.crt', 'authority', []],
  ['certs/azure/gateway.crt', '--pair', ['certs/azure/gateway.key']],
])('a renewal without %s renews nothing and says so', async (file, remedy, more) => {
  await using pair = await PairFolder.create()
  for (const path of [file, ...more]) await rm(pair.at(path))
  const files = await readdir(pair.path, { recursive: true })
  const old = await readFile(pair.at('certs/ec2/gateway.crt'), 'utf8')
  await expect(renewPair(pairPlan(pair.path, { renew: true }))).rejects.toMatchObject({
    code: 'ERR_USAGE',
    message: expect.stringContaining('nothing was renewed'),
    remedy: expect.stringContaining(remedy),
  })
  expect(await readdir(pair.path, { recursive: true })).toEqual(files)
  expect(await readFile(pair.at('certs/ec2/gateway.crt'), 'utf8')).toBe(old)
})

test('a renewal needs the public half of a key and no more', async () => {
  await using pair = await PairFolder.create()
  const plan = pairPlan(pair.path, { renew: true })
  await rm(pair.at('certs/ec2/gateway.key'))
  await rm(pair.at('gateway'), { recursive: true })
  expect((await renewPair(plan)).gateways).toMatchObject([{ name: 'ec2' }, { name: 'azure' }])
  // A key that the peer file does not pin would be refused by the other gateway.
  await copyFile(pair.at('certs/azure/gateway.crt'), pair.at('certs/ec2/gateway.crt'))
  await expect(renewPair(plan)).rejects.toMatchObject({ code: 'ERR_USAGE' })
})

test('the pair of a folder is found, or must be named', async () => {
  await using pair = await PairFolder.create()
  expect(await foundPair(pair.path)).toBe('ec2,azure')
  // On a gateway the other's peer file may still be missing.
  await rm(pair.at('peers/azure.yaml'))
  expect(await foundPair(pair.path)).toBe('ec2,azure')
  const names = { production: { name: 'tokyo' }, dr: { name: 'paris' } }
  const { production, dr } = pairPlan(pair.path)
  const other = pairPlan(pair.path, {
    production: { ...production, ...names.production, endpoint: null },
    dr: { ...dr, ...names.dr },
  })
  await expect(setUpPair(other)).rejects.toMatchObject({
    code: 'ERR_USAGE',
    remedy: expect.stringContaining('--pair ec2,azure'),
  })
  await setUpPair({ ...other, production: { ...other.production, endpoint: production.endpoint } })
  await expect(foundPair(pair.path)).rejects.toMatchObject({
    code: 'ERR_USAGE',
    message: expect.stringMatching(/ec2, tokyo, azure, paris|tokyo, ec2/),
    remedy: expect.stringContaining('--pair'),
  })
  const empty = await mkdtemp(join(tmpdir(), 'landbridge-empty-'))
  expect(await foundPair(empty)).toBeNull()
  await rm(empty, { recursive: true })
})

test('a run that changes nothing sends nobody back to the beginning', async () => {
  await using pair = await PairFolder.create()
  await pair.edit('gateway/ec2.yaml', ['198.51.100.10', 'db.example.net'])
  await pair.edit('peers/ec2.yaml', ['198.51.100.20', '100.64.7.7'])
  const { production } = pairPlan(pair.path)
  const plan = pairPlan(pair.path, { production: { ...production, endpoint: null } })
  const report = await setUpPair(plan)
  expect(nextSteps(plan, report)).toEqual([])
  expect(formatSetup(plan, report)).toContain('Nothing is left to do here.')
})

test('what is still open is told again: an example as source, an example as endpoint', async () => {
  await using pair = await PairFolder.create()
  const { production } = pairPlan(pair.path)
  const plan = pairPlan(pair.path, { production: { ...production, endpoint: null } })
  expect(nextSteps(plan, await setUpPair(plan))).toEqual([
    'See that an endpoint in peers/ is the public address of its gateway (UDP).',
    'Set the host of the source in gateway/ec2.yaml.',
  ])
})

test('with credentials the steps are those of a unit', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'landbridge-credentials-'))
  const plan = pairPlan(folder, { credentials: true })
  const text = nextSteps(plan, await setUpPair(plan)).join('\n')
  expect(text).toContain('LoadCredential=certs:/etc/landbridge/certs/azure')
  expect(text).toContain('check --config /etc/landbridge/gateway/azure.yaml')
  expect(text).toContain('systemctl enable --now landbridge@ec2')
  expect(text).not.toContain('landbridge run')
  // Also when the flag is not repeated: the file says it.
  await rm(join(folder, 'peers/ec2.yaml'))
  const again = pairPlan(folder)
  expect(nextSteps(again, await setUpPair(again)).join()).toContain('systemctl enable --now')
  await rm(folder, { recursive: true })
})

test('with a VPN of one’s own the tunnel addresses are to be set, until they are', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'landbridge-external-'))
  const { production, dr } = pairPlan(folder)
  const plan = pairPlan(folder, {
    externalTunnel: true,
    production: { ...production, endpoint: null },
  })
  const steps = nextSteps(plan, await setUpPair(plan))
  for (const [at, name] of ['ec2', 'azure'].entries()) {
    expect(steps[at]).toContain(`Set tunnelAddress in peers/${name}.yaml`)
  }
  expect(steps.join()).not.toContain('endpoint')
  for (const { name, tunnelAddress } of [production, dr]) {
    const path = join(folder, 'peers', `${name}.yaml`)
    const text = await readFile(path, 'utf8')
    await writeFile(path, text.replace(tunnelAddress.address, `10.9.8.${name.length}`))
  }
  expect(nextSteps(plan, await setUpPair(plan)).join()).not.toContain('tunnelAddress')
  await rm(folder, { recursive: true })
})

test.each([
  ['198.51.100.20', 1340],
  ['2001:db8::1', 1320],
  ['vpn.example.net', 1320],
])('with the endpoint %s both gateways have an mtu of %i', async (host, mtuBytes) => {
  const folder = await mkdtemp(join(tmpdir(), 'landbridge-mtu-'))
  const { production } = pairPlan(folder)
  const endpoint = { host, port: 51_820 }
  await setUpPair(pairPlan(folder, { production: { ...production, endpoint } }))
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
  await setUpPair(pairPlan(pair.path))
  expect(await readFile(pair.at('peers/ec2.yaml'), 'utf8')).not.toBe(before)
  expect(await offlineFindings(pair.at('gateway/ec2.yaml'))).toHaveLength(2)
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
    const own = pairPlan(gateway, { only: 'ec2' })
    const first = await setUpPair(own)
    expect(first.gateways).toMatchObject([{ name: 'ec2', signed: false }])
    expect(nextSteps(own, first)[0]).toContain('bring certs/ec2/gateway.pub and peers/ec2.yaml')
    await rm(office.at('certs/ec2'), { recursive: true })
    await mkdir(office.at('certs/ec2'))
    for (const file of ['peers/ec2.yaml', 'certs/ec2/gateway.pub']) {
      await copyFile(join(gateway, file), office.at(file))
    }
    const signed = await setUpPair(pairPlan(office.path, { only: 'ec2' }))
    expect(nextSteps(pairPlan(office.path, { only: 'ec2' }), signed)[0]).toBe(
      'Bring certs/ca.crt and certs/ec2/gateway.crt back to ec2, and the peer file of the other.',
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
    expect(await offlineFindings(join(gateway, 'gateway/ec2.yaml'))).toHaveLength(2)
    expect((await setUpPair(own)).gateways).toMatchObject([{ signed: true }])
  } finally {
    await rm(gateway, { recursive: true })
  }
})

test('says before making anything that the pair could never meet', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'landbridge-empty-'))
  const { production } = pairPlan(folder)
  const plan = pairPlan(folder, { production: { ...production, endpoint: null } })
  await expect(setUpPair(plan)).rejects.toMatchObject({ code: 'ERR_USAGE' })
  await rm(folder, { recursive: true })
})

test('prints no secret', async () => {
  await using pair = await PairFolder.create()
  await rm(pair.at('certs'), { recursive: true })
  const plan = pairPlan(pair.path)
  const text = formatSetup(plan, await setUpPair(plan))
  for (const file of ['wireguard.key', 'source.password']) {
    const secret = await readFile(pair.at('certs/ec2', file), 'utf8')
    expect(text).not.toContain(secret.trim())
  }
  expect(text).toContain('tar -czf azure.tar.gz gateway/azure.yaml peers certs/ca.crt certs/azure')
})

test('a flag that a kept file does not follow is told with the line to write', async () => {
  await using pair = await PairFolder.create()
  const given = [
    { flag: '--source', line: 'host: 198.51.100.10' },
    { flag: '--source', line: 'port: 3307' },
    { flag: '--relay-user', line: 'user: dr' },
  ]
  const source = { host: '198.51.100.10', port: 3307 }
  const plan = pairPlan(pair.path, { given, source, relayUser: 'dr' })
  const report = await setUpPair(plan)
  expect(nextSteps(plan, report).slice(0, 2)).toEqual([
    'gateway/ec2.yaml was kept: for --source write `port: 3307` into it.',
    'gateway/azure.yaml was kept: for --relay-user write `user: dr` into it.',
  ])
})

test('what root replaced stays readable for the gateway’s own user', async () => {
  await using pair = await PairFolder.create()
  const { production } = pairPlan(pair.path)
  const endpoint = { host: '198.51.100.99', port: 51_820 }
  await setUpPair(pairPlan(pair.path, { production: { ...production, endpoint } }))
  await renewPair(pairPlan(pair.path, { renew: true }))
  for (const file of ['peers/ec2.yaml', 'certs/ec2/gateway.crt']) {
    expect((await stat(pair.at(file))).mode & 0o777).toBe(0o644)
  }
})

test('each gateway listens at the port of its own endpoint', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'landbridge-ports-'))
  const { production, dr } = pairPlan(folder)
  const endpoint = { host: '203.0.113.20', port: 4500 }
  await setUpPair(pairPlan(folder, { production, dr: { ...dr, endpoint } }))
  expect(await readFile(join(folder, 'gateway/azure.yaml'), 'utf8')).toContain('listenPort: 4500 ')
  expect(await readFile(join(folder, 'gateway/ec2.yaml'), 'utf8')).toContain('listenPort: 51820 ')
  await rm(folder, { recursive: true })
})

test('the authority of a database is copied, and its configuration names it', async () => {
  await using pair = await PairFolder.create()
  await rm(pair.at('gateway/ec2.yaml'))
  const authorities = { sourceCa: pair.at('certs/ca.crt'), replicaCa: pair.at('certs/ca.crt') }
  const plan = pairPlan(pair.path, authorities)
  const report = await setUpPair(plan)
  expect(report.files).toContainEqual({ path: 'certs/ec2/source-ca.crt', outcome: 'created' })
  expect(report.files).toContainEqual({ path: 'certs/azure/replica-ca.crt', outcome: 'created' })
  expect(nextSteps(plan, report).join()).not.toContain('--source-ca')
  const { streams } = await loadConfig(pair.at('gateway/ec2.yaml'))
  const caPem = await readFile(pair.at('certs/ca.crt'), 'utf8')
  expect(streams[0]?.source?.tls).toMatchObject({ mode: 'verify-identity', caPem })
  // Without the flag the next time, what is there is kept.
  const kept = await setUpPair(pairPlan(pair.path))
  expect(kept.files).toContainEqual({ path: 'certs/ec2/source-ca.crt', outcome: 'kept' })
  const wrong = pairPlan(pair.path, { sourceCa: pair.at('certs/ca.key') })
  await expect(setUpPair(wrong)).rejects.toMatchObject({ code: 'ERR_USAGE' })
})
