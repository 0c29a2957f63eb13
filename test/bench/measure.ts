import { mkdtemp, rm } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Flavor } from '../../src/base/flavor.ts'
import type { RunningServer } from '../../src/lab/servers/server-options.ts'
import { LoopbackPair } from '../helpers/pair/loopback-pair.ts'
import { TestServers } from '../helpers/servers/test-servers.ts'
import { endToEndSeconds } from './end-to-end.ts'
import { binlogFiles, fillBinlog } from './fill.ts'
import { LOGINS } from './logins.ts'
import { cpuSecondsOf } from './processor-time.ts'
import { readSeconds, receiveSeconds } from './receive.ts'
import { MEGABYTE, type Report } from './report.ts'
import { rivalSeconds } from './rival.ts'
import { Tally } from './tally.ts'

export interface MeasureOptions {
  readonly flavor: Flavor
  readonly megabytes: number
  readonly rounds: number
  readonly say: (text: string) => void
  readonly signal: AbortSignal
}

/** Fills one source, then lets all take turns on it. Nothing is left behind. */
export async function measure(options: MeasureOptions): Promise<Report> {
  const { flavor, megabytes, rounds, say, signal } = options
  await using servers = await TestServers.create()
  say(`filling a ${flavor} binlog to ${megabytes} MB`)
  const source = await servers.start(flavor)
  await fillBinlog(source, megabytes * MEGABYTE)
  signal.throwIfAborted()
  const files = (await binlogFiles(source)).slice(0, -1)
  const names = files.map((file) => file.name)
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0)
  const folder = await mkdtemp(join(tmpdir(), 'lb-bench-'))
  await using pair = await LoopbackPair.create({
    source: { port: source.port, ...LOGINS },
    link: { compression: 'none' },
  })
  const tally = new Tally(bytes)
  try {
    for (let turn = 1; turn <= rounds; turn += 1) {
      signal.throwIfAborted()
      const rival = await withSource(source, 'mysqlbinlog', () =>
        rivalSeconds(source, folder, names),
      )
      tally.add('rival', rival)
      tally.add('rivalSynced', { ...rival, seconds: rival.syncedSeconds })
      signal.throwIfAborted()
      const read = await withSource(source, 'read', () => readSeconds(source, files))
      tally.add('read', { ...read, rssBytes: { read: read.rssBytes } })
      signal.throwIfAborted()
      const received = await withSource(source, 'receive', () =>
        receiveSeconds(source, folder, files),
      )
      tally.add('receive', { ...received, rssBytes: { receive: received.rssBytes } })
      signal.throwIfAborted()
      const sent = await withSource(source, '', () =>
        endToEndSeconds(pair, source.binlogDirectory, files),
      )
      tally.add('endToEnd', sent)
      say(
        `round ${turn}: mysqlbinlog ${tally.latest('rival')},` +
          ` synced ${tally.latest('rivalSynced')}; read ${tally.latest('read')},` +
          ` receive ${tally.latest('receive')},` +
          ` end to end ${tally.latest('endToEnd')}`,
      )
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
  const rows = [
    tally.row('rival', 'mysqlbinlog --raw'),
    tally.row('rivalSynced', 'mysqlbinlog --raw, then synced'),
    tally.row('read', 'read and checked, not stored'),
    tally.row('receive', 'raw receive to disk'),
    tally.row('endToEnd', 'end to end over the TLS link'),
  ]
  const { version } = source
  return { flavor, version, cores: cpus().length, node: process.version, bytes, rows }
}

type Cpu = number | Readonly<Record<string, number>>

/** A turn, with what the source took of a processor meanwhile. `who`: the turn's own process. */
async function withSource<T extends { readonly cpuSeconds: Cpu }>(
  { pid }: RunningServer,
  who: string,
  turn: () => Promise<T>,
): Promise<Omit<T, 'cpuSeconds'> & { readonly cpuSeconds: Readonly<Record<string, number>> }> {
  const before = await cpuSecondsOf(pid)
  const measured = await turn()
  const source = (await cpuSecondsOf(pid)) - before
  const { cpuSeconds, ...rest } = measured
  const own = typeof cpuSeconds === 'number' ? { [who]: cpuSeconds } : cpuSeconds
  return { ...rest, cpuSeconds: { source, ...own } }
}
