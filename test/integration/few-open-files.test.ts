import { readdir } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, onTestFailed, test } from 'vitest'
import { needs } from '../helpers/needs.ts'
import { ReplicatedPair } from '../helpers/pair/replicated-pair.ts'
import { RelayClient } from '../helpers/relay/relay-client.ts'
import { dumpFromState } from '../helpers/relay/relay-dump.ts'

/** A gateway has about 30 open when nobody asks anything of it. */
const FILES_MAX = 64
/** Of as many hosts as it takes to have all places of a relay that has the usual ones. */
const READERS = 60
const HOSTS = 6

// What does not depend on the flavour is shown on MariaDB, which starts sooner.
describe('a DR gateway that may open few files', needs('mariadb'), () => {
  let pair: ReplicatedPair
  beforeAll(async () => {
    pair = await ReplicatedPair.create('mariadb', { attach: false })
  })
  afterAll(() => pair?.stop())

  test('keeps the last ones for its stream when many read from its relay', async () => {
    onTestFailed(async () => console.error(await pair.logTails()))
    const sql = await pair.sql()
    await sql.query('CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY AUTO_INCREMENT)')
    await pair.pair.kill('dr')
    await pair.pair.start('dr', { openFilesMax: FILES_MAX })
    await pair.synced()
    const { relayPort: port, relayPassword: password } = pair.pair
    const clients: RelayClient[] = []
    const login = { port, user: 'replica', password, tls: true }
    for (let n = 0; n < READERS; n += 1) {
      try {
        const client = await RelayClient.login({ ...login, from: `127.0.1.${1 + (n % HOSTS)}` })
        clients.push(client)
        client.socket.on('error', () => undefined)
        await dumpFromState(client, '')
      } catch {
        // There is no place for it: as it should be, from some number on.
      }
      // More than so many of one address a second are refused for another reason.
      await sleep(60)
    }
    for (let file = 0; file < 3; file += 1) {
      await sql.query('INSERT INTO d.t VALUES (); FLUSH BINARY LOGS')
    }
    await pair.synced()
    expect((await pair.pair.status('dr'))?.problems).toEqual([])
    expect(await pair.compareSpool()).toMatchObject({ identical: true, failures: [] })
    expect(clients.length).toBeGreaterThan(0)
    const open = await readdir(`/proc/${pair.pair.pid('dr')}/fd`)
    expect(open.length).toBeLessThan(FILES_MAX - 16)
    for (const { socket } of clients) socket.destroy()
  })
})
