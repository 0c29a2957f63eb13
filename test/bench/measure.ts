import { mkdtemp, rm } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Flavor } from '../../src/base/flavor.ts'
import { LoopbackPair } from '../helpers/loopback-pair.ts'
import { TestServers } from '../helpers/test-servers.ts'
import { endToEndSeconds } from './end-to-end.ts'
import { binlogFiles, fillBinlog } from './fill.ts'
import { LOGINS } from './logins.ts'
import { receiveSeconds } from './receive.ts'
import { MEGABYTE, median, type Report, type Row, round } from './report.ts'
import { rivalSeconds } from './rival.ts'

export interface MeasureOptions {
  readonly flavor: Flavor
  readonly megabytes: number
  readonly rounds: number
  readonly say: (text: string) => void
  readonly signal: AbortSignal
}

/** Fills one source, then lets the three take turns on it. Nothing is left behind. */
export async function measure(options: MeasureOptions): Promise<Report> {
  const { flavor, megabytes, rounds, say, signal } = options
  await using servers = await TestServers.create()
  say(`filling a ${flavor} binlog to ${megabytes} MB`)
  const source = await servers.start(flavor)
  await fillBinlog(source, megabytes * MEGABYTE)
  signal.throwIfAborted()
  const files = (await binlogFiles(source)).slice(0, -1)
  const names = files.map((file) => file.name)
  const folder = await mkdtemp(join(tmpdir(), 'lb-bench-'))
  await using pair = await LoopbackPair.create({
    source: { port: source.port, ...LOGINS },
    link: { compression: 'none' },
  })
  const seconds = { rival: [] as number[], receive: [] as number[], endToEnd: [] as number[] }
  const rss = { receive: 0, production: 0, dr: 0 }
  const peak = (name: keyof typeof rss, bytes: number): void => {
    rss[name] = Math.max(rss[name], Math.round(bytes / MEGABYTE))
  }
  try {
    for (let turn = 1; turn <= rounds; turn += 1) {
      signal.throwIfAborted()
      seconds.rival.push(await rivalSeconds(source, folder, names))
      const received = await receiveSeconds(source, folder, files)
      seconds.receive.push(received.seconds)
      peak('receive', received.rssBytes)
      signal.throwIfAborted()
      const sent = await endToEndSeconds(pair, source.binlogDirectory, files)
      seconds.endToEnd.push(sent.seconds)
      peak('production', sent.rssBytes.production)
      peak('dr', sent.rssBytes.dr)
      const at = (name: keyof typeof seconds): string => (seconds[name].at(-1) ?? 0).toFixed(2)
      say(
        `round ${turn}: mysqlbinlog ${at('rival')} s, receive ${at('receive')} s,` +
          ` end to end ${at('endToEnd')} s`,
      )
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0)
  const rival = median(seconds.rival)
  const row = (name: string, of: readonly number[], memory: Record<string, number>): Row => ({
    name,
    megabytesPerSecond: round(bytes / MEGABYTE / median(of), 1),
    ratio: round(rival / median(of), 2),
    seconds: of.map((one) => round(one, 3)),
    peakRssMegabytes: memory,
  })
  const rows = [
    row('mysqlbinlog --raw', seconds.rival, {}),
    row('raw receive to disk', seconds.receive, { receive: rss.receive }),
    row('end to end over the TLS link', seconds.endToEnd, {
      production: rss.production,
      dr: rss.dr,
    }),
  ]
  const { version } = source
  return { flavor, version, cores: cpus().length, node: process.version, bytes, rows }
}
