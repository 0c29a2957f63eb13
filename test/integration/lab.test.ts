import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runCommand } from '../../src/lab/hosts/command.ts'
import { isRunning, type ProcessRecord } from '../../src/lab/hosts/lab-process.ts'
import { createNamespaces, listNamespaces, onHost } from '../../src/lab/hosts/namespaces.ts'
import { downLab } from '../../src/lab/lab-down.ts'
import { labPaths } from '../../src/lab/lab-paths.ts'
import { addressesOf, hostsOf, pairsOf, type SiteName } from '../../src/lab/lab-sites.ts'
import { startWan } from '../../src/lab/wan/lab-wan.ts'
import { requestWan } from '../../src/lab/wan/wan.ts'
import type { WanPairReport } from '../../src/lab/wan/wan-pair.ts'
import { clearWan, type WanSettings } from '../../src/lab/wan/wan-settings.ts'
import { needs } from '../helpers/needs.ts'

const paths = labPaths(`t-${randomBytes(4).toString('hex')}`)
const PORT = 51_820
const SITES = ['ec2', 'azure', 'gcp'] as const
const [ec2, azure, gcp] = SITES.map(addressesOf)

/** Answers every datagram on a gateway, from the port that WireGuard would have. */
const echoAt = (site: SiteName) => `
const socket = require('node:dgram').createSocket('udp4')
socket.on('message', (message, from) => socket.send(message, from.port, from.address))
socket.bind(${PORT}, '${addressesOf(site).gatewayWan}', () => console.log('ready'))
`
/** Sends datagrams from the first gateway one by one; prints the round trips it got. */
const PING = `
const [to, ...numbers] = process.argv.slice(1)
const [count, bytes, waitMs] = numbers.map(Number)
const socket = require('node:dgram').createSocket('udp4')
const tripsMs = []
let from
let wake = () => {}
socket.on('message', (message, peer) => { from = peer.address; wake(true) })
socket.bind(${PORT}, '${ec2?.gatewayWan}', async () => {
  for (let sent = 0; sent < count; sent += 1) {
    const startedMs = performance.now()
    const answered = new Promise((resolve) => {
      wake = resolve
      setTimeout(resolve, waitMs).unref()
    })
    socket.send(Buffer.alloc(bytes), ${PORT}, to)
    if (await answered) tripsMs.push(performance.now() - startedMs)
  }
  console.log(JSON.stringify({ answers: tripsMs.length, from, fastestMs: Math.min(...tripsMs) }))
  socket.close()
})
`

interface Pinged {
  readonly answers: number
  readonly from?: string
  /** What a busy machine adds is least in the fastest one. */
  readonly fastestMs?: number
}

/** An answer may take long on a busy machine; that there is none is not waited for so long. */
async function ping(
  count: number,
  { bytes = 100, waitMs = 5_000, to = azure?.public ?? '' } = {},
): Promise<Pinged> {
  const script = [process.execPath, '-e', PING, to, ...[count, bytes, waitMs].map(String)]
  return JSON.parse(await runCommand([...onHost(paths, 'ec2-gw'), ...script]))
}

const unanswered = (options: { bytes?: number; to?: string | undefined } = {}) => {
  return ping(1, { ...options, waitMs: 400 })
}

/** What the WAN says of the way between the first two sites. */
async function wanBetween(changes: Partial<WanSettings> = {}): Promise<WanPairReport> {
  const [pair] = (await requestWan(paths.wanSocket, changes)).pairs
  if (pair === undefined) throw new Error('there are two sites at least')
  return pair
}

describe('the hosts of a lab and its WAN', needs('root'), () => {
  let wan: ProcessRecord

  beforeAll(async () => {
    await mkdir(paths.runDirectory, { recursive: true })
    await mkdir(paths.logDirectory, { recursive: true })
    await createNamespaces(paths, SITES)
    const pairs = pairsOf(SITES).map((between) => ({ between, settings: clearWan }))
    wan = await startWan(paths, pairs)
    for (const site of ['azure', 'gcp'] as const) {
      const host = onHost(paths, `${site}-gw`)
      const [program = '', ...rest] = [...host, process.execPath, '-e', echoAt(site)]
      const echo = spawn(program, rest, { stdio: ['ignore', 'pipe', 'ignore'] })
      await once(echo.stdout, 'data')
    }
  })

  afterAll(async () => {
    await downLab(paths)
  })

  test('carries datagrams between the gateways, which see only the WAN', async () => {
    for (const to of [azure?.public, gcp?.public]) {
      expect(await ping(3, { bytes: 1400, to })).toMatchObject({ answers: 3, from: to })
    }
  })

  test('has no way out of the lab, and no way past the WAN', async () => {
    for (const host of hostsOf(SITES)) {
      const routes = await runCommand(['ip', '-n', paths.namespace(host), 'route'])
      expect(routes).not.toContain('default')
    }
  })

  test('adds the delay it is told to, as a ratio of two settings', async () => {
    await wanBetween({ delayMs: 20 })
    const short = await ping(5)
    const report = await wanBetween({ delayMs: 80 })
    expect(report).toMatchObject({ path: 'relay', settings: { delayMs: 80 } })
    const long = await ping(5)
    expect(short).toMatchObject({ answers: 5, from: azure?.public })
    const ratio = (long.fastestMs ?? 0) / (short.fastestMs ?? 1)
    expect(ratio).toBeGreaterThan(2)
    expect(ratio).toBeLessThan(4.5)
  })

  test('is silent while it is cut and carries again when it is healed', async () => {
    await wanBetween({ delayMs: 0, cut: true })
    expect((await unanswered()).answers).toBe(0)
    const report = await wanBetween({ cut: false })
    expect(report.directions['a-to-b'].dropped).toBeGreaterThan(0)
    expect((await ping(2)).answers).toBe(2)
  })

  test('swallows one direction, and datagrams above a size', async () => {
    const before = await wanBetween({ blackhole: 'b-to-a' })
    expect((await unanswered()).answers).toBe(0)
    const after = await wanBetween({ blackhole: null, dropAboveBytes: 1200 })
    expect(after.directions['a-to-b'].packets).toBe(before.directions['a-to-b'].packets + 1)
    expect((await unanswered({ bytes: 1201 })).answers).toBe(0)
    expect((await ping(1, { bytes: 1200 })).answers).toBe(1)
    await wanBetween({ dropAboveBytes: null })
  })

  test('cuts two sites from each other and leaves their ways to the third alone', async () => {
    const { pairs } = await requestWan(paths.wanSocket, { cut: true }, ['azure', 'ec2'])
    expect(pairs.map(({ between, path }) => [...between, path])).toEqual([
      ['ec2', 'azure', 'relay'],
      ['ec2', 'gcp', pairs[1]?.path],
      ['azure', 'gcp', pairs[1]?.path],
    ])
    expect(pairs.map(({ settings }) => settings.cut)).toEqual([true, false, false])
    expect((await unanswered()).answers).toBe(0)
    expect((await ping(2, { to: gcp?.public ?? '' })).answers).toBe(2)
    await requestWan(paths.wanSocket, { cut: false }, ['ec2', 'azure'])
    expect((await ping(2)).answers).toBe(2)
    await expect(requestWan(paths.wanSocket, {}, ['ec2', 'onprem'])).rejects.toMatchObject({
      code: 'ERR_LAB_WAN',
    })
  })

  test('down leaves nothing, and can be repeated', async () => {
    await downLab(paths)
    await downLab(paths)
    expect(isRunning(wan)).toBe(false)
    expect((await listNamespaces()).filter((name) => name.includes(paths.name))).toEqual([])
    expect(existsSync(paths.runDirectory)).toBe(false)
    expect(existsSync(paths.dataDirectory)).toBe(false)
  })
})
