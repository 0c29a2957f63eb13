import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { codeOf } from '../../src/base/errors.ts'
import { tryLock } from '../../src/setup/lock.mjs'

const PORTS = 20_000
export const PORTS_MIN = 1_000
/** More than any uses. */
const PORTS_A_FILE = 37
export const PORT_MIN = 10_000

/** The first port that the system gives to a connection that goes out. */
export function firstPassingPort(): number {
  return Number.parseInt(readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'latin1'), 10)
}

/** Test files run in processes of their own at the same time: each begins at another port. */
let next = (process.pid * PORTS_A_FILE) % PORTS

/** A file for each port that a test has, named after it. */
const RESERVED = join(tmpdir(), `landbridge-ports-${process.getuid?.() ?? 0}`)

/**
 * A port of the loopback that nobody listens on, also later: no other test gets it while this
 * process lives, and it is none of those that the system hands out to connections. A server that is
 * stopped would find its port taken by one when it starts again, even by somebody's attempt to
 * reach that server. Where the system hands out nearly all ports there is no such port, and any
 * free one has to do.
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < PORTS; tries += 1) {
    const port = portAt(next)
    next += 1
    if (!reserve(port)) continue
    if (await isFree(port)) return port
  }
  throw new Error('no port is free')
}

const reserved: string[] = []

/** False while a process that lives has it, or had it until now. */
export function reserve(port: number, folder = RESERVED): boolean {
  mkdirSync(folder, { recursive: true })
  const path = join(folder, String(port))
  if (!tryLock(path)) return false
  if (reserved.length === 0) process.once('exit', release)
  reserved.push(path)
  return true
}

function release(): void {
  for (const path of reserved) rmSync(path, { force: true })
}

function portAt(index: number): number {
  const end = Math.max(firstPassingPort(), PORT_MIN + PORTS_MIN)
  return PORT_MIN + (index % Math.min(PORTS, end - PORT_MIN))
}

async function isFree(port: number): Promise<boolean> {
  const { promise, resolve, reject } = Promise.withResolvers<boolean>()
  const server = createServer()
  server.once('error', (error) => (codeOf(error) === 'EADDRINUSE' ? resolve(false) : reject(error)))
  server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  return await promise
}
