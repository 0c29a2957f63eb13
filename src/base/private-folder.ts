import type { Dirent } from 'node:fs'
import { chmod, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { codeOf, describeError } from './errors.ts'
import type { Log } from './log.ts'

/*
 * The spool is the database, and what lies beside it says who we are: owner only. The group of the
 * gateway's user is for people who may ask its socket.
 */

export const PRIVATE_FOLDER_MODE = 0o700
export const PRIVATE_FILE_MODE = 0o600

const OF_OTHERS = 0o077

export interface PrivateOptions {
  /** Judges the names of folders in it. */
  readonly isOurs: (name: string) => boolean
  /** Paths of folders in it that are looked at by themselves, another time. */
  readonly except?: readonly string[]
  readonly log: Log
}

interface Mending {
  readonly except: readonly string[]
  changed: number
  /** Why the first one could not be changed. */
  denied: string | null
}

/**
 * Takes from group and others what an earlier version, or whoever made the folder, let them do with
 * it and with what is in it. One that has folders besides ours is shared with somebody, so that it
 * and its files keep their modes. What cannot be changed is logged, and no reason to stop. A folder
 * that is missing needs nothing.
 */
export async function makePrivate(
  path: string,
  { isOurs, except = [], log }: PrivateOptions,
): Promise<void> {
  const mending: Mending = { changed: 0, denied: null, except }
  const foreign = await mendContent(path, mending, isOurs)
  if (foreign === null) await mend(path, mending)
  else if (await isOpen(path, mending)) {
    mending.denied ??= `it has a folder ${foreign}, which is not the gateway's`
  }
  if (mending.changed > 0) {
    const { changed } = mending
    log.warn({ path, changed }, 'group or others could read what is in here; now only the owner')
  }
  if (mending.denied !== null) {
    const remedy = `Give the gateway's user a folder of its own, then chmod -R go= ${path}`
    const reason = `group or others may read ${path}, or what is in it: ${mending.denied}`
    log.warn({ code: 'ERR_FOLDER_SHARED', remedy }, reason)
  }
}

/** Contents before their folder: a folder that is private is one that was finished. */
async function mendContent(
  path: string,
  mending: Mending,
  isOurs: (name: string) => boolean,
): Promise<string | null> {
  const entries = await listed(path, mending)
  const folders = entries.filter((entry) => entry.isDirectory() && !isOfSystem(entry.name))
  const foreign = folders.find(({ name }) => !isOurs(name))
  for (const { name } of folders.filter((folder) => isOurs(folder.name))) {
    const inner = join(path, name)
    if (mending.except.includes(inner) || !(await isOpen(inner, mending))) continue
    await mendContent(inner, mending, () => true)
    await mend(inner, mending)
  }
  if (foreign !== undefined) return foreign.name
  for (const file of entries.filter((entry) => entry.isFile())) {
    await mend(join(path, file.name), mending)
  }
  return null
}

/** What a file system or a home directory has by itself. */
function isOfSystem(name: string): boolean {
  return name === 'lost+found' || name.startsWith('.')
}

async function listed(path: string, mending: Mending): Promise<readonly Dirent[]> {
  try {
    return await readdir(path, { withFileTypes: true })
  } catch (error) {
    note(error, mending)
    return []
  }
}

async function isOpen(path: string, mending: Mending): Promise<boolean> {
  try {
    return ((await stat(path)).mode & OF_OTHERS) !== 0
  } catch (error) {
    note(error, mending)
    return false
  }
}

async function mend(path: string, mending: Mending): Promise<void> {
  try {
    const mode = (await stat(path)).mode & 0o7777
    if ((mode & OF_OTHERS) === 0) return
    await chmod(path, mode & ~OF_OTHERS)
    mending.changed += 1
  } catch (error) {
    note(error, mending)
  }
}

/** What is gone meanwhile needs no mending. */
function note(error: unknown, mending: Mending): void {
  if (!(error instanceof Error && 'syscall' in error)) throw error
  if (codeOf(error) !== 'ENOENT') mending.denied ??= describeError(error)
}
