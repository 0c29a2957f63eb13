import { readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { codeOf } from '../../src/base/errors.ts'
import type { GatewayStatus } from '../../src/status/status.ts'
import type { LoopbackPair, Site } from '../helpers/pair/loopback-pair.ts'
import { linkOf } from '../helpers/status/link-of.ts'
import { type BinlogFile, isBehind } from './binlog-file.ts'
import { cpuSecondsOf } from './processor-time.ts'
import type { Turn } from './tally.ts'
import { watchCores } from './watch-cores.ts'

const POLL_MS = 10
const LIMIT_MS = 120_000

/**
 * Seconds from the moment the stream is opened (the spool's `epoch.json`) to the last byte synced
 * at DR: source, production gateway, TLS link, DR gateway, fdatasync. Fails when the spool is not
 * identical to the source.
 */
export async function endToEndSeconds(
  pair: LoopbackPair,
  sourceDirectory: string,
  files: readonly BinlogFile[],
): Promise<Turn> {
  const last = files.at(-1)
  if (last === undefined) throw new Error('no files to send')
  await rm(pair.spoolDirectory, { recursive: true, force: true })
  await rm(pair.spoolMemoryPath, { force: true })
  try {
    await pair.start('production')
    await pair.until('production', (status) => linkOf(status).state !== 'up')
    await pair.start('dr')
    const folder = join(pair.spoolDirectory, '000001')
    const { startedAtMs } = await openedEpoch(join(folder, 'epoch.json'))
    const coresBusy = watchCores()
    const before = await cpuOf(pair)
    const doneMs = await syncedMs(pair, last)
    const busy = coresBusy()
    const after = await cpuOf(pair)
    const [production, dr] = [await peakRss(pair, 'production'), await peakRss(pair, 'dr')]
    for (const { name } of files) {
      const stored = await readFile(join(folder, name))
      if (!stored.equals(await readFile(join(sourceDirectory, name)))) {
        throw new Error(`${name} is not identical to the source's`)
      }
    }
    const seconds = (doneMs - startedAtMs) / 1000
    const cpuSeconds = {
      production: after.production - before.production,
      dr: after.dr - before.dr,
    }
    return { seconds, coresBusy: busy, rssBytes: { production, dr }, cpuSeconds }
  } finally {
    await pair.kill('dr', 'SIGTERM')
    await pair.kill('production', 'SIGTERM')
  }
}

async function openedEpoch(path: string): Promise<{ readonly startedAtMs: number }> {
  const endMs = performance.now() + LIMIT_MS
  for (;;) {
    try {
      return JSON.parse(await readFile(path, 'utf8')) as { startedAtMs: number }
    } catch (error) {
      if (codeOf(error) !== 'ENOENT' || performance.now() > endMs) throw error
      await sleep(POLL_MS)
    }
  }
}

/** Looks at the file first: asking for a status costs the gateway something. */
async function syncedMs(pair: LoopbackPair, last: BinlogFile): Promise<number> {
  const path = join(pair.spoolDirectory, '000001', last.name)
  const endMs = performance.now() + LIMIT_MS
  while (performance.now() < endMs) {
    const { size } = await stat(path).catch(() => ({ size: 0 }))
    if (size >= last.bytes) break
    await sleep(POLL_MS)
  }
  const isDone = ({ streams }: GatewayStatus): boolean => {
    const synced = streams[0]?.spool?.synced
    const { file, offset } = synced ?? { file: null, offset: null }
    return file !== null && offset !== null && isBehind({ file, offset }, last)
  }
  const limitMs = Math.max(1, endMs - performance.now())
  const done = await pair.until('dr', isDone, { limitMs, everyMs: POLL_MS })
  return done.nowMs
}

async function cpuOf(pair: LoopbackPair): Promise<{ production: number; dr: number }> {
  const of = async (site: Site) => await cpuSecondsOf(pair.pid(site))
  return { production: await of('production'), dr: await of('dr') }
}

async function peakRss(pair: LoopbackPair, site: Site): Promise<number> {
  const text = await readFile(`/proc/${pair.pid(site)}/status`, 'utf8')
  return Number(/VmHWM:\s+(\d+) kB/.exec(text)?.[1]) * 1024
}
