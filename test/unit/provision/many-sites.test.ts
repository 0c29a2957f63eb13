import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { nextSteps } from '../../../src/cli/init/setup-report.ts'
import { loadConfig } from '../../../src/gateway/config/load-config.ts'
import { foundSites } from '../../../src/provision/found-sites.ts'
import { setUpSites } from '../../../src/provision/sites-setup.ts'
import {
  changeGateways,
  gatewayPlan,
  PairFolder,
  sitesPlan,
} from '../../helpers/pair/pair-folder.ts'

test('a third site gets its files; of the kept ones is told which line to write', async () => {
  await using pair = await PairFolder.create()
  const before = await readFile(pair.at('peers/azure.yaml'), 'utf8')
  const gcp = gatewayPlan('gcp', { endpoint: { host: '203.0.113.30', port: 51_820 } })
  const [ec2, azure] = sitesPlan(pair.path).gateways
  if (ec2 === undefined || azure === undefined) throw new Error('two gateways are planned')
  // Whatever its place in the list, it takes no address of another one.
  const plan = sitesPlan(pair.path, { gateways: [ec2, gcp, azure] })
  const report = await setUpSites(plan)
  const steps = nextSteps(plan, report)
  expect(steps.slice(0, 2)).toEqual([
    'gateway/ec2.yaml was kept: for --sites write `peers: [azure, gcp]` into it.',
    'gateway/azure.yaml was kept: for --sites write `peers: [ec2, gcp]` into it.',
  ])
  expect(steps).toContain('Bring azure what changed (peers/gcp.yaml), and restart its gateway.')
  expect(await readFile(pair.at('peers/azure.yaml'), 'utf8')).toBe(before)
  await pair.edit('gateway/ec2.yaml', ['peers: [azure]', 'peers: [azure, gcp]'])
  await pair.edit('gateway/azure.yaml', ['peers: [ec2]', 'peers: [ec2, gcp]'])
  for (const name of ['ec2', 'azure', 'gcp']) {
    const { self, peers, streams } = await loadConfig(pair.at('gateway', `${name}.yaml`))
    expect(peers.map((peer) => peer.site).sort()).toEqual(
      ['azure', 'ec2', 'gcp'].filter((other) => other !== name),
    )
    const address = { ec2: '10.77.0.1', azure: '10.77.0.2', gcp: '10.77.0.3' }[name]
    expect(self.tunnelAddress).toEqual({ address, prefixLength: 24 })
    expect(streams).toMatchObject([{ name: 'main', origin: 'ec2' }])
  }
  expect((await setUpSites(plan)).ignored).toEqual([])
})

test('each site gets the next address of the subnet, or that of its peer file', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'landbridge-subnet-'))
  const endpoint = { host: '198.51.100.20', port: 51_820 }
  const names = ['ec2', 'azure', 'gcp', 'oslo']
  const gateways = names.map((name) => gatewayPlan(name, { endpoint }))
  const narrow = { address: '10.9.8.4', prefixLength: 30 }
  const plan = sitesPlan(folder, { gateways, tunnelSubnet: narrow })
  await expect(setUpSites(plan)).rejects.toMatchObject({
    code: 'ERR_USAGE',
    message: "the tunnel's subnet 10.9.8.4/30 has 2 addresses, not 4",
    remedy: expect.stringContaining('--tunnel-subnet'),
  })
  expect(await readdir(folder)).toEqual([])
  const wide = { address: '10.9.8.0', prefixLength: 29 }
  const first = await setUpSites({ ...plan, gateways: gateways.slice(0, 2), tunnelSubnet: wide })
  const later = await setUpSites({ ...plan, tunnelSubnet: null })
  expect([first, later].map((one) => one.gateways.map((it) => it.tunnelAddress.address))).toEqual([
    ['10.9.8.1', '10.9.8.2'],
    ['10.9.8.1', '10.9.8.2', '10.9.8.3', '10.9.8.4'],
  ])
  await rm(folder, { recursive: true })
})

test('two gateways that only dial could never meet: that is said before making one', async () => {
  await using pair = await PairFolder.create()
  const gateways = [...sitesPlan(pair.path).gateways, gatewayPlan('gcp')]
  await expect(setUpSites(sitesPlan(pair.path, { gateways }))).rejects.toMatchObject({
    code: 'ERR_USAGE',
    message: 'azure and gcp have no address at which others can reach them',
    remedy: expect.stringContaining('--endpoint azure=HOST:PORT'),
  })
})

test('who may take over is in the peer files: all, unless it is said otherwise', async () => {
  await using pair = await PairFolder.create()
  const takers = async () => {
    const { self, peers } = await loadConfig(pair.at('gateway/ec2.yaml'))
    return [self, ...peers].filter((one) => one.mayTakeOver).map(({ name }) => name)
  }
  expect(await takers()).toEqual(['ec2', 'azure'])
  const plan = changeGateways(sitesPlan(pair.path), { azure: { mayTakeOver: false } })
  const { files } = await setUpSites(plan)
  expect(files).toContainEqual({ path: 'peers/azure.yaml', outcome: 'updated' })
  expect(await takers()).toEqual(['ec2'])
  expect((await foundSites(pair.path))?.withoutTakeOver).toEqual(['azure'])
  // What nobody says again stays.
  await setUpSites(sitesPlan(pair.path))
  expect(await takers()).toEqual(['ec2'])
})

test('the logins of both roles are told, and what a change of the role takes', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'landbridge-logins-'))
  const plan = sitesPlan(folder)
  const steps = nextSteps(plan, await setUpSites(plan))
  const [origin = '', copy = ''] = steps.filter((step) => step.includes('CREATE USER'))
  expect(origin).toContain("GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO 'landbridge'@'%'")
  expect(copy).toContain("CREATE USER 'landbridge_replica'@'%'")
  expect(copy).toContain('SET SESSION sql_log_bin = 0;')
  expect(copy).toContain('So that azure can become the origin, and be fenced')
  expect(copy).toMatch(/SYSTEM_VARIABLES_ADMIN.* -- MySQL\n.*READ_ONLY ADMIN.* -- MariaDB/)
  expect(copy).toContain('take the # from `database:` in gateway/azure.yaml')
  await rm(folder, { recursive: true })
  const shy = changeGateways(plan, {
    azure: { mayTakeOver: false, database: { host: '203.0.113.7', port: 3306 } },
  })
  const others = nextSteps(shy, await setUpSites(shy)).join('\n')
  expect(others).not.toMatch(/READ_ONLY ADMIN|take the #/)
  expect(others).toContain('--database-ca azure=FILE')
  await rm(folder, { recursive: true })
})
