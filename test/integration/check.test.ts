import { writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runChecks } from '../../src/cli/check/check-command.ts'
import { MYSQL_THREADS_GRANT } from '../../src/database/replica-queries.ts'
import { loadConfig } from '../../src/gateway/config/load-config.ts'
import type { RunningServer } from '../../src/lab/servers/server-options.ts'
import { connectSql } from '../../src/lab/servers/sql-connection.ts'
import { ATTACH_GRANTS } from '../../src/mysql/grants.ts'
import { freePort } from '../helpers/free-port.ts'
import { describeFlavors } from '../helpers/needs.ts'
import { PairFolder } from '../helpers/pair/pair-folder.ts'
import { TestServers } from '../helpers/servers/test-servers.ts'

/** One server is the database of origin and copy at once: `check` only looks. */
describeFlavors('landbridge check asks the database, %s', (flavor) => {
  let servers: TestServers
  let server: RunningServer
  let folder: PairFolder

  beforeAll(async () => {
    servers = await TestServers.create()
    server = await servers.start(flavor, { serverId: 7, durable: true })
    folder = await PairFolder.create()
    const root = await connectSql(server)
    await root.query("CREATE USER landbridge IDENTIFIED BY 'secret'")
    await root.query('GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO landbridge')
    await root.query("CREATE USER follower IDENTIFIED BY 'secret'")
    await root.query(`GRANT ${ATTACH_GRANTS[flavor].join(', ')} ON *.* TO follower`)
    if (flavor === 'mysql') await root.query(`GRANT ${MYSQL_THREADS_GRANT} TO follower`)
    await root.end()
    await writeFile(folder.at('certs/ec2/database.password'), 'secret\n', { mode: 0o600 })
    await writeFile(folder.at('certs/azure/database.password'), 'secret\n', { mode: 0o600 })
    await folder.edit(
      'gateway/ec2.yaml',
      ['198.51.100.10', '127.0.0.1'],
      ['3306', `${server.port}`],
    )
    await folder.edit(
      'gateway/azure.yaml',
      ['0.0.0.0:3307', `127.0.0.1:${await freePort()}`],
      ['    # database:', '    database:'],
      ['    #   host: 203.0.113.10', '      host: 127.0.0.1'],
      ['    #   port: 3306', `      port: ${server.port}`],
      ['    #   user: landbridge_replica', '      user: follower'],
      ['    #   passwordFile', '      passwordFile'],
      ['    #   flavor', '      flavor'],
    )
  })

  afterAll(async () => {
    await folder[Symbol.asyncDispose]()
    await servers.stop()
  })

  async function found(file: string, check: string) {
    const config = await loadConfig(folder.at(file))
    const findings = await runChecks(config, {})
    return findings.filter((finding) => finding.check === check)
  }

  test('a source that nobody vouches for is told nothing, and can be pinned', async () => {
    const findings = await found('gateway/ec2.yaml', 'source')
    expect(findings).toMatchObject([
      { severity: 'error', message: expect.stringContaining('does not prove who it is') },
      { severity: 'warning', message: expect.stringContaining('CN=landbridge test server') },
    ])
    const line = /tls: \{ fingerprint: "sha256:[0-9a-f]{64}" \}$/.exec(findings[1]?.remedy ?? '')
    const [pin = ''] = line ?? []
    await folder.edit('gateway/ec2.yaml', ['tls: { mode: verify-identity }', pin])
    await folder.edit('gateway/azure.yaml', [
      '    #   tls: { mode: verify-identity }',
      '      tls: { mode: unverified }',
    ])
  })

  test('the machine is asked too: for its clock, and for a way to the peer', async () => {
    expect(await found('gateway/azure.yaml', 'clock')).toHaveLength(1)
    // The kernel of this machine may have one or not.
    expect(await found('gateway/azure.yaml', 'route')).toMatchObject([
      { message: expect.stringMatching(/route to .*198\.51\.100\.20/) },
    ])
  })

  test('at the origin: who is in, and every item of the preflight', async () => {
    const findings = await found('gateway/ec2.yaml', 'source')
    expect(findings[0]).toMatchObject({
      severity: 'ok',
      message: expect.stringContaining(`landbridge is in at 127.0.0.1:${server.port}: ${flavor}`),
    })
    expect(findings.length).toBeGreaterThan(10)
    expect(findings.filter(({ severity }) => severity === 'error')).toEqual([])
  })

  test('offline it asks nothing', async () => {
    const config = await loadConfig(folder.at('gateway/ec2.yaml'))
    const checks = (await runChecks(config, { offline: true })).map(({ check }) => check)
    expect(checks).toEqual(['config', 'identity', 'roles'])
  })

  test('a wrong password is an error with a remedy, not the end of the check', async () => {
    await writeFile(folder.at('certs/ec2/database.password'), 'wrong\n')
    expect(await found('gateway/ec2.yaml', 'source')).toMatchObject([
      { severity: 'error', remedy: expect.stringContaining('password') },
    ])
    await writeFile(folder.at('certs/ec2/database.password'), 'secret\n')
  })

  test('at a copy: the replica’s login, what speaks against it, and how to attach it', async () => {
    expect(await found('gateway/azure.yaml', 'replica')).toMatchObject([
      {
        severity: 'ok',
        message: expect.stringMatching(/^follower is in at .*, server_id 7$/),
      },
      { severity: 'warning', message: expect.stringMatching(/^whoever answers .* is believed/) },
      { severity: 'ok', message: 'follower may ask what the replica has applied' },
      { severity: 'warning', remedy: expect.stringContaining('read_only=ON') },
      { severity: 'ok', remedy: expect.stringContaining('landbridge replica attach --config') },
      { severity: 'ok', message: expect.stringContaining('GTIDs were not compared') },
    ])
  })

  test('at a copy: a server_id that the relay has too is an error', async () => {
    await folder.edit('gateway/azure.yaml', [
      '      user: replica',
      '      user: replica\n      serverId: 7',
    ])
    expect(await found('gateway/azure.yaml', 'replica')).toContainEqual(
      expect.objectContaining({
        severity: 'error',
        message: 'the replica has server_id 7, as the relay has',
      }),
    )
  })

  test('at a copy: a login that may not read the threads is an error with the grant', async () => {
    const grant = flavor === 'mysql' ? MYSQL_THREADS_GRANT : 'SLAVE MONITOR ON *.*'
    const root = await connectSql(server)
    await root.query(`REVOKE ${grant} FROM follower`)
    expect(await found('gateway/azure.yaml', 'replica')).toMatchObject([
      { severity: 'error', remedy: expect.stringContaining(grant.replace(' ON *.*', '')) },
    ])
    await root.query(`GRANT ${grant} TO follower`)
    await root.end()
  })

  test('at a copy: a login that may not look is told the privileges', async () => {
    const root = await connectSql(server)
    await root.query('REVOKE ALL PRIVILEGES, GRANT OPTION FROM follower')
    await root.end()
    expect(await found('gateway/azure.yaml', 'replica')).toMatchObject([
      { severity: 'error', remedy: expect.stringContaining(ATTACH_GRANTS[flavor].join(', ')) },
    ])
  })
})
