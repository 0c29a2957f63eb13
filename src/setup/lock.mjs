import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { cacheDirectory } from './cache.mjs'
import { say } from './report.mjs'

const POLL_MS = 500

let count = 0

/** Runs `work` while no other set-up of this machine runs; a dead holder's lock is taken over. */
export async function withSetupLock(work) {
  mkdirSync(cacheDirectory(), { recursive: true })
  const path = join(cacheDirectory(), 'setup.lock')
  for (let told = false; !tryLock(path); told = true) {
    if (!told) say(`waiting for another set-up, process ${readHolder(path)?.pid}`)
    await sleep(POLL_MS)
  }
  try {
    return await work()
  } finally {
    rmSync(path, { force: true })
  }
}

/**
 * Makes the file `path`, for as long as this process lives. False while a process that lives has
 * it, or had it until now. A link makes it whole at once: nobody can read one half written.
 */
export function tryLock(path) {
  count += 1
  const mine = `${path}.${process.pid}-${count}`
  writeFileSync(mine, JSON.stringify({ pid: process.pid, start: startTicks(process.pid) }))
  try {
    linkSync(mine, path)
    return true
  } catch (error) {
    if (error.code !== 'EEXIST') throw error
  } finally {
    rmSync(mine, { force: true })
  }
  if (isAbandoned(path)) clearAbandoned(path)
  return false
}

function isAbandoned(path) {
  const holder = readHolder(path)
  return holder === undefined || startTicks(holder.pid) !== holder.start
}

/** Moved aside before it is judged again: meanwhile another may have made a lock of its own. */
function clearAbandoned(path) {
  const aside = `${path}.${process.pid}`
  try {
    renameSync(path, aside)
    if (!isAbandoned(aside)) linkSync(aside, path)
  } catch (error) {
    // Somebody else cleared it, or has a new lock in place: the next look decides.
    if (error.code !== 'ENOENT' && error.code !== 'EEXIST') throw error
  }
  rmSync(aside, { force: true })
}

function readHolder(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    // Gone again, or cut off in the middle by a crash: nobody holds it.
    return undefined
  }
}

/** Names a process for ever together with its pid; null where there is no such process. */
function startTicks(pid) {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? null
  } catch {
    // No such process, or no /proc: then only the lock file itself counts.
    return null
  }
}
