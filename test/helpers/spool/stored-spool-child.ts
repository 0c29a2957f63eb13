import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock } from '../../../src/base/clock.ts'
import { StoredSpool } from '../../../src/spool/stored-spool.ts'

/**
 * Another process that reads a spool without its lock. Argument: its folder. Prints a line of JSON
 * for each end that it sees, with what it can read up to there, until its standard input ends.
 */
const [, , directory = ''] = process.argv
const stopping = new AbortController()
process.stdin.on('end', () => stopping.abort()).resume()
const spool = new StoredSpool({ directory, clock: systemClock })
const { signal } = stopping
let last = ''
while (!signal.aborted) {
  await spool.refresh({ signal }).catch((error: unknown) => {
    if (!signal.aborted) throw error
  })
  const end = spool.end()
  const newest = spool.newestFile()
  if (end !== null && newest !== undefined && JSON.stringify(end) !== last) {
    last = JSON.stringify(end)
    const file = await spool.open(newest)
    const bytes = Buffer.alloc(end.offset)
    const { bytesRead } = await file.read(bytes, 0, end.offset, 0)
    await file.close()
    const hex = bytes.subarray(0, bytesRead).toString('hex')
    const names = spool.files().map(({ name }) => name)
    process.stdout.write(`${JSON.stringify({ end, names, hex, gtids: spool.gtids() })}\n`)
  }
  await sleep(2)
}
