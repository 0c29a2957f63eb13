import { expect, test } from 'vitest'
import { type InitOptions, parseSites, planOf } from '../../../../src/cli/init/init-plan.ts'

const OPTIONS: InitOptions = {
  directory: '.',
  sites: ['ec2', 'azure', 'gcp'],
  dataDir: '/var/lib/landbridge',
}

test('the first site is the origin, unless another one is named or the files say it', () => {
  expect(planOf(OPTIONS)).toMatchObject({ origin: 'ec2', only: null, tunnelSubnet: null })
  expect(planOf({ ...OPTIONS, foundOrigin: 'gcp' }).origin).toBe('gcp')
  const plan = planOf({ ...OPTIONS, foundOrigin: 'gcp', origin: 'azure' })
  expect(plan.origin).toBe('azure')
  expect(plan.gateways.map(({ name, databaseUser }) => [name, databaseUser])).toEqual([
    ['ec2', 'landbridge_replica'],
    ['azure', 'landbridge'],
    ['gcp', 'landbridge_replica'],
  ])
})

test('a flag with NAME=VALUE is of that site, and of no other', () => {
  const plan = planOf({
    ...OPTIONS,
    endpoint: ['ec2=198.51.100.20', 'gcp=[2001:db8::1]:4500'],
    database: ['ec2=db.example.net', 'azure=203.0.113.10:3310'],
    databaseUser: ['azure=reader'],
    databaseCa: ['azure=/etc/ssl/a=b.pem'],
    relayListen: ['gcp=10.0.0.7:3308'],
  })
  expect(plan.gateways).toMatchObject([
    {
      endpoint: { host: '198.51.100.20', port: 51_820 },
      database: { host: 'db.example.net', port: 3306 },
      databaseUser: 'landbridge',
      databaseCa: null,
    },
    {
      endpoint: null,
      database: { host: '203.0.113.10', port: 3310 },
      databaseUser: 'reader',
      databaseCa: '/etc/ssl/a=b.pem',
      relayListen: { host: '0.0.0.0', port: 3307 },
    },
    {
      endpoint: { host: '2001:db8::1', port: 4500 },
      database: null,
      relayListen: { host: '10.0.0.7', port: 3308 },
    },
  ])
  expect(plan.given).toContainEqual({ flag: '--endpoint', line: 'mtu: 1320', gateway: 'gcp' })
  expect(plan.given.filter(({ gateway }) => gateway === 'azure')).toEqual([
    { flag: '--database', line: 'host: 203.0.113.10', gateway: 'azure' },
    { flag: '--database', line: 'port: 3310', gateway: 'azure' },
    { flag: '--database-user', line: 'user: reader', gateway: 'azure' },
    { flag: '--database-ca', line: 'ca: ../certs/azure/database-ca.crt', gateway: 'azure' },
  ])
})

test('who may take over is nobody’s wish, all, some or none', () => {
  const takers = (mayTakeOver?: string) =>
    planOf({ ...OPTIONS, ...(mayTakeOver !== undefined && { mayTakeOver }) }).gateways.map(
      (gateway) => gateway.mayTakeOver,
    )
  expect(takers()).toEqual([null, null, null])
  expect(takers('ec2, gcp')).toEqual([true, false, true])
  expect(takers('none')).toEqual([false, false, false])
})

test.each<[Partial<InitOptions>, message: RegExp, remedy: RegExp]>([
  [{ endpoint: ['198.51.100.20:51820'] }, /does not say of which site/, /--endpoint ec2=198\.51/],
  [
    { endpoint: ['tokyo=198.51.100.20'] },
    /--endpoint tokyo is not one of the sites/,
    /one of them/,
  ],
  [{ endpoint: ['ec2=1.2.3.4', 'ec2=1.2.3.5'] }, /--endpoint names ec2 twice/, /one of them/],
  [{ database: ['ec2=a b'] }, /--database a b is not HOST:PORT/, /HOST:PORT/],
  [{ origin: 'tokyo' }, /--origin tokyo is not one of the sites ec2,azure,gcp/, /one of them/],
  [{ only: 'tokyo' }, /--only tokyo is not one/, /one of them/],
  [{ mayTakeOver: 'ec2,tokyo' }, /--may-take-over tokyo is not one/, /one of them/],
  [{ tunnelSubnet: '10.77.0.1/24' }, /--tunnel-subnet .* is not an IPv4 subnet/, /10\.77\.0\.0/],
  [{ tunnelSubnet: '10.77.0.0/31' }, /--tunnel-subnet .* is not an IPv4 subnet/, /10\.77\.0\.0/],
  [{ tunnelSubnet: 'fd77::/64' }, /--tunnel-subnet .* is not an IPv4 subnet/, /10\.77\.0\.0/],
])('%j is refused with what to write', (options, message, remedy) => {
  expect(() => planOf({ ...OPTIONS, ...options })).toThrow(
    expect.objectContaining({
      code: 'ERR_USAGE',
      message: expect.stringMatching(message),
      remedy: expect.stringMatching(remedy),
    }),
  )
})

test('sites are two or more different names', () => {
  expect(parseSites('ec2, azure,gcp')).toEqual(['ec2', 'azure', 'gcp'])
  for (const text of ['', 'ec2', 'ec2,', 'ec2,ec2', 'EC2,azure', 'ec2,a_b']) {
    expect(() => parseSites(text)).toThrow(expect.objectContaining({ code: 'ERR_USAGE' }))
  }
})
