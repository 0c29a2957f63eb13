import { readdir, readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import { ignoreMissing } from '../../src/base/atomic-file.ts'
import { Secret } from '../../src/base/secret.ts'
import { connectSql } from '../../src/lab/servers/sql-connection.ts'
import { SourceConnection } from '../../src/source/source-connection.ts'
import { testFlavors } from '../helpers/needs.ts'
import { TestServers } from '../helpers/test-servers.ts'

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

testFlavors('a question that %s does not answer ends with the signal', async (flavor) => {
  await using servers = await TestServers.create()
  const server = await servers.start(flavor)
  const sql = await connectSql(server)
  await sql.query("CREATE USER asker@'%' IDENTIFIED BY 'secret'")
  await sql.end()
  const stop = new AbortController()
  const connection = await SourceConnection.open(
    {
      host: '127.0.0.1',
      port: server.port,
      user: 'asker',
      password: new Secret('secret'),
      tls: { mode: 'preferred', caPem: null },
    },
    stop.signal,
  )
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
