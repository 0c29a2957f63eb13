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
import { ADDRESSES, HOSTS, labPaths } from '../../src/lab/lab-paths.ts'
import { startWan } from '../../src/lab/wan/lab-wan.ts'
import { requestWan } from '../../src/lab/wan/wan.ts'
import { clearWan } from '../../src/lab/wan/wan-settings.ts'
import { needs } from '../helpers/needs.ts'

const paths = labPaths(`t-${randomBytes(4).toString('hex')}`)
const PORT = 51_820

/** Answers every datagram on the DR gateway, from the port that WireGuard would have. */
const ECHO = `
const socket = require('node:dgram').createSocket('udp4')
socket.on('message', (message, from) => socket.send(message, from.port, from.address))
socket.bind(${PORT}, '${ADDRESSES.drGwWan}', () => console.log('ready'))
`
/** Sends datagrams from the production gateway one by one; prints the round trips it got. */
const PING = `
const [count, bytes, waitMs] = process.argv.slice(1).map(Number)
const socket = require('node:dgram').createSocket('udp4')
const tripsMs = []
let from
let wake = () => {}
socket.on('message', (message, peer) => { from = peer.address; wake(true) })
socket.bind(${PORT}, '${ADDRESSES.prodGwWan}', async () => {
  for (let sent = 0; sent < count; sent += 1) {
    const startedMs = performance.now()
    const answered = new Promise((resolve) => { wake = resolve; setTimeout(resolve, waitMs) })
    socket.send(Buffer.alloc(bytes), ${PORT}, '${ADDRESSES.wanProd}')
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
async function ping(count: number, bytes = 100, waitMs = 5_000): Promise<Pinged> {
  const script = [process.execPath, '-e', PING, ...[count, bytes, waitMs].map(String)]
  return JSON.parse(await runCommand([...onHost(paths, 'prod-gw'), ...script]))
}

const unanswered = (bytes = 100) => ping(1, bytes, 400)

describe('the hosts of a lab and its WAN', needs('root'), () => {
  let wan: ProcessRecord

  beforeAll(async () => {
    await mkdir(paths.runDirectory, { recursive: true })
    await mkdir(paths.logDirectory, { recursive: true })
    await createNamespaces(paths)
    wan = await startWan(paths, clearWan)
    const [program = '', ...rest] = [...onHost(paths, 'dr-gw'), process.execPath, '-e', ECHO]
    const echo = spawn(program, rest, { stdio: ['ignore', 'pipe', 'ignore'] })
    await once(echo.stdout, 'data')
  })

  afterAll(async () => {
    await downLab(paths)
  })

  test('carries datagrams between the gateways, which see only the WAN', async () => {
    expect(await ping(3, 1400)).toMatchObject({ answers: 3, from: ADDRESSES.wanProd })
  })

  test('has no way out of the lab, and no way past the WAN', async () => {
    for (const host of HOSTS) {
      const routes = await runCommand(['ip', '-n', paths.namespace(host), 'route'])
      expect(routes).not.toContain('default')
    }
  })

  test('adds the delay it is told to, as a ratio of two settings', async () => {
    await requestWan(paths.wanSocket, { delayMs: 20 })
    const short = await ping(5)
    const report = await requestWan(paths.wanSocket, { delayMs: 80 })
    expect(report).toMatchObject({ path: 'relay', settings: { delayMs: 80 } })
    const long = await ping(5)
    expect(short).toMatchObject({ answers: 5, from: ADDRESSES.wanProd })
    const ratio = (long.fastestMs ?? 0) / (short.fastestMs ?? 1)
    expect(ratio).toBeGreaterThan(2)
    expect(ratio).toBeLessThan(4.5)
  })

  test('is silent while it is cut and carries again when it is healed', async () => {
    await requestWan(paths.wanSocket, { delayMs: 0, cut: true })
    expect((await unanswered()).answers).toBe(0)
    const report = await requestWan(paths.wanSocket, { cut: false })
    expect(report.directions['a-to-b'].dropped).toBeGreaterThan(0)
    expect((await ping(2)).answers).toBe(2)
  })

  test('swallows one direction, and datagrams above a size', async () => {
    await requestWan(paths.wanSocket, { blackhole: 'b-to-a' })
    const before = await requestWan(paths.wanSocket)
    expect((await unanswered()).answers).toBe(0)
    const after = await requestWan(paths.wanSocket, { blackhole: null, dropAboveBytes: 1200 })
    expect(after.directions['a-to-b'].packets).toBe(before.directions['a-to-b'].packets + 1)
    expect((await unanswered(1201)).answers).toBe(0)
    expect((await ping(1, 1200)).answers).toBe(1)
    await requestWan(paths.wanSocket, { dropAboveBytes: null })
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
