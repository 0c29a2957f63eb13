import { rm } from 'node:fs/promises'
import { expect, onTestFailed, test } from 'vitest'
import type { Problem } from '../../src/status/status.ts'
import { describeFlavors } from '../helpers/needs.ts'
import { ReplicatedPair } from '../helpers/pair/replicated-pair.ts'

const ROWS = 400

describeFlavors('a spool of %s that is lost', (flavor) => {
  test('begins anew when a person says so, and its replica goes on by itself', async () => {
    await using pair = await ReplicatedPair.create(flavor, {
      // Slow enough that the replica comes back while the spool still lacks what it has.
      gateways: { throttle: { bytesPerSecond: 400_000 } },
    })
    onTestFailed(async () => console.error(await pair.logTails()))
    const sql = await pair.sql()
    await sql.query('CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY, v LONGTEXT)')
    for (let id = 1; id <= ROWS; id += 1) {
      await sql.query(`INSERT INTO d.t VALUES (${id}, REPEAT('v', 5000))`)
    }
    expect(await pair.compareTables()).toMatchObject({ equal: true })
    await pair.pair.kill('dr')
    await rm(pair.pair.spoolDirectory, { recursive: true })
    await pair.pair.start('dr')
    const isAbsent = ({ code }: Problem): boolean => code === 'ERR_SPOOL_ABSENT'
    const { state } = await pair.pair.until('dr', ({ problems }) => problems.some(isAbsent))
    expect(state).toBe('blocked')
    await rm(pair.pair.spoolMemoryPath)
    await pair.held()
    await sql.query(`INSERT INTO d.t VALUES (${ROWS + 1}, 'after')`)
    expect(await pair.compareTables()).toMatchObject({ equal: true, failures: [] })
    expect(await pair.compareSpool()).toMatchObject({ identical: true, failures: [] })
  })
})
