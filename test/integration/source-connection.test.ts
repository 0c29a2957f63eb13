import { readFileSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ignoreMissing } from '../../src/base/atomic-file.ts'
import { certificateFingerprint } from '../../src/base/fingerprint.ts'
import { Secret } from '../../src/base/secret.ts'
import type { RunningServer } from '../../src/lab/servers/server-options.ts'
import { connectSql } from '../../src/lab/servers/sql-connection.ts'
import type { SqlTls } from '../../src/mysql/sql-tls.ts'
import { SourceConnection } from '../../src/source/source-connection.ts'
import { describeFlavors } from '../helpers/needs.ts'
import { tlsOf } from '../helpers/servers/server-tls.ts'
import { TestServers } from '../helpers/servers/test-servers.ts'

/** A stop reaches the threads one by one: until all stand, the server may still answer. */
async function untilStopped(pid: number): Promise<void> {
  for (;;) {
    const threads = await readdir(`/proc/${pid}/task`)
    const states = await Promise.all(
      threads.map(async (thread) => {
        const path = `/proc/${pid}/task/${thread}/stat`
        const text = await readFile(path, 'latin1').catch(ignoreMissing)
        // A thread that is gone answers nothing either.
        return text === undefined ? 'T' : text.charAt(text.lastIndexOf(')') + 2)
      }),
    )
    if (states.every((state) => state === 'T')) return
    await sleep(5)
  }
}

describeFlavors('a login at a real source, %s', (flavor) => {
  let servers: TestServers
  let server: RunningServer

  beforeAll(async () => {
    servers = await TestServers.create()
    server = await servers.start(flavor)
    const sql = await connectSql(server)
    await sql.query("CREATE USER asker@'%' IDENTIFIED BY 'secret'")
    await sql.query("CREATE USER certified@'%' IDENTIFIED BY 'secret' REQUIRE X509")
    await sql.end()
  })

  afterAll(() => servers.stop())

  interface Login {
    readonly user?: string
    readonly password?: string
    readonly tls?: Partial<SqlTls>
    readonly signal?: AbortSignal
  }

  const open = ({ user = 'asker', password = 'secret', tls = {}, ...options }: Login) =>
    SourceConnection.open(
      {
        ...{ host: '127.0.0.1', port: server.port, user },
        password: new Secret(password),
        tls: { ...tlsOf(server), ...tls },
      },
      options.signal ?? new AbortController().signal,
    )

  async function answer(login: Login): Promise<string | null> {
    const connection = await open(login)
    try {
      return await connection.value('SELECT CURRENT_USER()')
    } finally {
      connection.close()
    }
  }

  const pem = () => readFileSync(server.tls?.certificate ?? '', 'utf8')

  test('is made by its authority or its pinned key, and by nothing else', async () => {
    const fingerprint = certificateFingerprint(pem())
    expect(await answer({})).toBe('asker@%')
    expect(await answer({ tls: { mode: 'verify-ca' } })).toBe('asker@%')
    expect(await answer({ tls: { mode: 'pinned', caPem: null, fingerprint } })).toBe('asker@%')
    const other = `sha256:${'0'.repeat(64)}`
    for (const tls of [{ caPem: null }, { mode: 'pinned', fingerprint: other }] as const) {
      await expect(open({ tls })).rejects.toMatchObject({ code: 'ERR_SQL_TLS', retryable: false })
    }
  })

  test('proves itself by a certificate where the server wants one', async () => {
    // The server trusts its own certificate, which serves as the client's here.
    const privateKeyPem = new Secret(readFileSync(server.tls?.privateKey ?? '', 'utf8'))
    const client = { certificatePem: pem(), privateKeyPem }
    expect(await answer({ user: 'certified', tls: { client } })).toBe('certified@%')
    await expect(open({ user: 'certified' })).rejects.toMatchObject({ code: 'ERR_SOURCE_LOGIN' })
  })

  const ed25519 = async () => {
    const sql = await connectSql(server)
    await sql.query("INSTALL SONAME 'auth_ed25519'")
    const password = 'x'.repeat(32)
    for (const [user, word] of [
      ['modern', password],
      ['shorter', 'secret'],
    ]) {
      await sql.query(`CREATE USER ${user} IDENTIFIED VIA ed25519 USING PASSWORD('${word}')`)
    }
    await sql.end()
    expect(await answer({ user: 'modern', password })).toBe('modern@%')
    await expect(open({ user: 'shorter' })).rejects.toMatchObject({
      code: 'ERR_SQL_AUTHENTICATION',
      message: expect.stringContaining('client_ed25519'),
      remedy: expect.stringContaining('32 bytes'),
    })
  }
  if (flavor === 'mariadb') test('by ed25519 works with a password of 32 bytes', ed25519)

  test('a question that is not answered ends with the signal', async () => {
    const stop = new AbortController()
    const connection = await open({ signal: stop.signal })
    expect(await connection.value('SELECT 1')).toBe('1')
    server.kill('SIGSTOP')
    await untilStopped(server.pid)
    const asked = connection.query('SELECT 2')
    await sleep(50)
    stop.abort()
    await expect(asked).rejects.toMatchObject({ code: 'ERR_SOURCE_CONNECT' })
    await expect(connection.query('SELECT 3')).rejects.toMatchObject({ retryable: true })
    server.kill('SIGCONT')
  })
})
