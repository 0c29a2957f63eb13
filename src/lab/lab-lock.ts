import { once } from 'node:events'
import { connect, createServer, type Server } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { codeOf, LandbridgeError } from '../base/errors.ts'
import type { LabPaths } from './lab-paths.ts'

const POLL_MS = 100

/**
 * One `up`, `down` or change at a time per lab. The lock is a listening socket in the abstract
 * namespace: taking it is one step, and the kernel gives it back however its holder ends. Who
 * connects is told the holder's pid.
 */
export async function withLabLock<T>(
  paths: LabPaths,
  work: () => Promise<T>,
  options: { readonly waitMs?: number } = {},
): Promise<T> {
  const deadlineMs = performance.now() + (options.waitMs ?? 0)
  let lock = await takeLock(paths)
  while (lock === null) {
    if (performance.now() >= deadlineMs) throw await busyError(paths)
    await sleep(POLL_MS)
    lock = await takeLock(paths)
  }
  try {
    return await work()
  } finally {
    lock.close()
    await once(lock, 'close')
  }
}

function socketOf(paths: LabPaths): string {
  return `\0landbridge-lab/${paths.name}`
}

/** Null: somebody has it. */
async function takeLock(paths: LabPaths): Promise<Server | null> {
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy())
    socket.end(String(process.pid))
  })
  try {
    server.listen(socketOf(paths))
    await once(server, 'listening')
    return server
  } catch (error) {
    if (codeOf(error) === 'EADDRINUSE') return null
    throw error
  }
}

async function busyError(paths: LabPaths): Promise<LandbridgeError> {
  const pid = await lockOwner(paths)
  const who = pid === null ? 'another process' : `process ${pid}`
  return new LandbridgeError(
    'ERR_LAB_BUSY',
    `the lab ${paths.name} is being put up or taken down by ${who}`,
    { remedy: pid === null ? 'try again' : `wait for it, or end it: kill ${pid}` },
  )
}

/** The living process that holds the lab's lock. */
export async function lockOwner(paths: LabPaths): Promise<number | null> {
  const socket = connect(socketOf(paths))
  socket.setTimeout(2_000, () => socket.destroy())
  try {
    const pid = Number(await text(socket))
    return pid > 0 ? pid : null
  } catch {
    // Nobody listens there: nobody has it.
    return null
  }
}
