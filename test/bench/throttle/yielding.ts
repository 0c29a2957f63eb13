import { randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseDocument } from 'yaml'
import { callOperation } from '../../../src/api/admin-client.ts'
import type { Flavor } from '../../../src/base/flavor.ts'
import { killLabProcess, startLabProcess } from '../../../src/lab/lab-control.ts'
import { downLab } from '../../../src/lab/lab-down.ts'
import { type LabPaths, labPaths } from '../../../src/lab/lab-paths.ts'
import { readSites, streamAt } from '../../../src/lab/lab-readiness.ts'
import { labShape } from '../../../src/lab/lab-shape.ts'
import { addressesOf, type SiteName } from '../../../src/lab/lab-sites.ts'
import { type LabState, sourceOf } from '../../../src/lab/lab-state.ts'
import { upLab } from '../../../src/lab/lab-up.ts'
import { connectSql } from '../../../src/lab/servers/sql-connection.ts'
import { UdpEcho } from '../../helpers/tunnel/udp-echo.ts'
import { type Latency, secondFlow } from './second-flow.ts'

export interface YieldingOptions {
  readonly flavor: Flavor
  /** Of each of the three measurements. */
  readonly seconds: number
  readonly roundTripMs: number
  readonly megabitsPerSecond: number
  /** Wanted of the queue. */
  readonly queueMs: number
  readonly say: (text: string) => void
  readonly signal: AbortSignal
}

export interface YieldingReport {
  /** Of the second flow: alone, beside the stream, beside the stream that yields. */
  readonly idle: Latency
  readonly beside: Latency
  readonly yielding: Latency
  /** Of the stream meanwhile. */
  readonly besideBytesPerSecond: number
  readonly yieldingBytesPerSecond: number
}

/** So many bytes may wait in front of the WAN's rate: the usual buffer that is too large. */
const QUEUE_MS = 250
const ECHO = 'udp/9999'
const SETTLE_MS = 10_000

/** A stream with a large backlog, and datagrams beside it in the same tunnel, in a lab. */
export async function measureYielding(options: YieldingOptions): Promise<YieldingReport> {
  const { flavor, seconds, roundTripMs, megabitsPerSecond, queueMs, say, signal } = options
  const paths = labPaths(`y-${randomBytes(4).toString('hex')}`)
  const rateBps = megabitsPerSecond * 1e6
  const wan = { delayMs: roundTripMs / 2, rateBps, queueBytesMax: (rateBps / 8_000) * QUEUE_MS }
  const shape = labShape({ sites: 2, streams: 1 })
  const building = { paths, shape, flavor, wan, gateways: true, progress: say, signal }
  try {
    const { state } = await upLab(building)
    await reconfigure(paths, state, 'azure', { tunnel: { allow: [ECHO] } })
    await reconfigure(paths, state, 'ec2', { link: { compression: 'none' } })
    const gateway = paths.namespace('ec2-gw')
    await using _echo = await UdpEcho.start(paths.namespace('azure-gw'))
    const measure = () => secondFlow(gateway, addressesOf('azure').tunnel, seconds)
    await streaming(state)
    say('the second flow alone')
    const idle = await measure()
    const both = async () => {
      const [before, startedMs] = [await receivedAt(state), performance.now()]
      const latency = await measure()
      const took = (performance.now() - startedMs) / 1000
      return { latency, bytesPerSecond: ((await receivedAt(state)) - before) / took }
    }
    say('the second flow beside a stream that takes all it can')
    const needed = (rateBps / 8) * (2 * seconds + 6 * (SETTLE_MS / 1000))
    await pause(state)
    await fill(state, needed)
    await release(state)
    await sleep(SETTLE_MS / 2)
    const beside = await both()
    say(`the second flow beside a stream that yields (${queueMs} ms)`)
    const yields = { queueDelay: `${queueMs}ms` }
    await reconfigure(paths, state, 'ec2', { throttle: { yield: yields } })
    await streaming(state)
    await sleep(SETTLE_MS)
    const yielding = await both()
    return {
      ...{ idle, beside: beside.latency, yielding: yielding.latency },
      besideBytesPerSecond: beside.bytesPerSecond,
      yieldingBytesPerSecond: yielding.bytesPerSecond,
    }
  } finally {
    await downLab(paths)
  }
}

/** Merges settings into a gateway's file, `throttle` into its stream, and starts it again. */
async function reconfigure(
  paths: LabPaths,
  { gateways }: LabState,
  site: SiteName,
  { throttle, ...sections }: Record<string, Record<string, unknown>>,
): Promise<void> {
  const path = gateways.find((one) => one.site === site)?.config
  if (path === undefined) throw new Error(`${site} has no gateway`)
  const config = parseDocument(await readFile(path, 'utf8'))
  for (const [name, section] of Object.entries(sections)) {
    for (const [key, value] of Object.entries(section)) config.setIn([name, key], value)
  }
  if (throttle !== undefined) config.setIn(['streams', 0, 'throttle'], throttle)
  await writeFile(path, config.toString())
  await killLabProcess(paths, `${site}-gateway`, 'SIGTERM')
  await startLabProcess(paths, `${site}-gateway`)
}

async function operate({ gateways }: LabState, name: string): Promise<void> {
  const socket = gateways.find(({ site }) => site === 'ec2')?.adminSocket ?? ''
  const operation = { name, permission: 'operate' } as const
  await callOperation(socket, operation, {}, { signal: AbortSignal.timeout(30_000) })
}

const pause = (state: LabState) => operate(state, 'throttle.pause')
const release = (state: LabState) => operate(state, 'throttle.off')

/** Transactions of 1 MB in a table that is emptied again: only the binlog grows. */
async function fill(state: LabState, bytes: number): Promise<void> {
  const sql = await connectSql({ socket: sourceOf(state, 'main').socket })
  await sql.query('CREATE DATABASE IF NOT EXISTS bulk')
  await sql.query('CREATE TABLE IF NOT EXISTS bulk.t (v LONGBLOB)')
  for (let done = 0; done < bytes; done += 1e6) {
    await sql.query("INSERT INTO bulk.t VALUES (REPEAT('v', 1000000))")
    if (done % 50e6 === 0) await sql.query('TRUNCATE TABLE bulk.t')
  }
  sql.destroy()
}

async function streaming({ gateways }: LabState): Promise<void> {
  for (;;) {
    const stream = streamAt(await readSites(gateways), { stream: 'main', site: 'azure' })
    if (stream?.state === 'streaming') return
    await sleep(200)
  }
}

async function receivedAt({ gateways }: LabState): Promise<number> {
  return streamAt(await readSites(gateways), { stream: 'main', site: 'azure' })?.bytesReceived ?? 0
}
