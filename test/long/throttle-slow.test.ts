import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { GatewayStatus } from '../../src/status/status.ts'
import { describeFlavors } from '../helpers/needs.ts'
import { editThrottle } from '../helpers/pair/edit-throttle.ts'
import { ReplicatedPair } from '../helpers/pair/replicated-pair.ts'

const MINUTES = 30
const RATE_BYTES = 10_000
const SAMPLE_MS = 10_000
/** Twice what may pass: the backlog grows all the time. */
const WRITTEN_BYTES = 2 * RATE_BYTES * (SAMPLE_MS / 1000)
const ROW_BYTES = 10_000

describeFlavors('a %s pair at 10 KB/s for half an hour', { timeout: 3_600_000 }, (flavor) => {
  test('blocks no commit, keeps its dump and its link, says no fault, loses nothing', async () => {
    await using pair = await ReplicatedPair.create(flavor, {
      gateways: {
        link: { compression: 'none' },
        throttle: { bytesPerSecond: `${RATE_BYTES}` },
      },
    })
    const sql = await pair.sql()
    await sql.query(
      'CREATE DATABASE d; CREATE TABLE d.t (n INT AUTO_INCREMENT PRIMARY KEY, v BLOB)',
    )
    await pair.synced()
    const sessions = (status: GatewayStatus | null) =>
      Math.max(...(status?.links ?? []).map((link) => link.sessions))
    const before = sessions(await pair.pair.status('dr'))
    let longestCommitMs = 0
    const rates: number[] = []
    const faults = new Set<string>()
    const states = new Set<string>()
    let last: { readonly bytes: number; readonly atMs: number } | null = null
    const endMs = performance.now() + MINUTES * 60_000
    while (performance.now() < endMs) {
      for (let done = 0; done < WRITTEN_BYTES; done += ROW_BYTES) {
        const startedMs = performance.now()
        await sql.query(`INSERT INTO d.t (v) VALUES (REPEAT('v', ${ROW_BYTES}))`)
        longestCommitMs = Math.max(longestCommitMs, performance.now() - startedMs)
      }
      await sleep(SAMPLE_MS)
      for (const site of ['production', 'dr'] as const) {
        const status = await pair.pair.status(site)
        states.add(status?.streams[0]?.state ?? 'no answer')
        for (const { code, severity } of status?.problems ?? []) {
          if (severity !== 'warning') faults.add(code)
        }
        if (site === 'production' || status === null) continue
        const now = { bytes: status.streams[0]?.bytesReceived ?? 0, atMs: performance.now() }
        if (last !== null) rates.push((now.bytes - last.bytes) / ((now.atMs - last.atMs) / 1000))
        last = now
      }
    }
    const waiting = (await pair.pair.status('production'))?.streams[0]?.throttle.waitingBytes ?? 0
    const reconnects = sessions(await pair.pair.status('dr')) - before
    const log = await pair.log('production')
    const parked = log.split('\n').filter((line) => /ERR_PARKED|ERR_SOURCE_/.test(line)).length
    const steady = rates.slice(3)
    const [least, most] = [Math.min(...steady), Math.max(...steady)]
    const mean = steady.reduce((sum, rate) => sum + rate, 0) / steady.length
    const figures = { longestCommitMs, least, mean, most, waiting, reconnects, parked }
    console.log(JSON.stringify({ flavor, states: [...states], faults: [...faults], ...figures }))
    await pair.pair.kill('production', 'SIGTERM')
    await editThrottle(pair.pair, {})
    await pair.pair.start('production')
    await pair.synced()
    expect(await pair.compareSpool()).toMatchObject({ identical: true, failures: [] })
    expect(await pair.compareTables()).toMatchObject({ equal: true, failures: [] })
    expect([...faults]).toEqual([])
    expect([...states]).toEqual(['streaming'])
    expect(reconnects).toBe(0)
    expect(longestCommitMs).toBeLessThan(5_000)
    expect(waiting).toBeGreaterThan((MINUTES * 60 * RATE_BYTES) / 2)
    // What is stored lacks the frames' headers, 24 bytes of 1,000; and a busy machine loses some.
    expect(least / RATE_BYTES).toBeGreaterThan(0.6)
    expect(most / RATE_BYTES).toBeLessThan(1.05)
    expect(mean / RATE_BYTES).toBeGreaterThan(0.92)
  })
})
