import { expect } from 'vitest'
import { testFlavors } from '../helpers/needs.ts'
import { ReplicatedPair } from '../helpers/pair/replicated-pair.ts'

testFlavors('a session of %s that sets its time back spoils no lag', async (flavor) => {
  await using pair = await ReplicatedPair.create(flavor, { attach: false })
  const sql = await pair.sql()
  await sql.query('CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY AUTO_INCREMENT)')
  await pair.synced()
  await pair.pair.until('dr', ({ streams }) => streams[0]?.receiveLag?.ms === 0)
  await sql.query('SET timestamp = 1000000000')
  for (let row = 0; row < 20; row += 1) await sql.query('INSERT INTO d.t VALUES ()')
  await pair.synced()
  const { streams } = await pair.pair.until('dr', (status) => {
    const lag = status.streams[0]?.receiveLag
    return lag?.ms === 0 && (lag.windows.day?.count ?? 0) >= 20
  })
  // Minutes at most, whatever the machine is doing; the events claim decades.
  expect(streams[0]?.receiveLag?.windows.day?.maxMs).toBeLessThan(600_000)
})
