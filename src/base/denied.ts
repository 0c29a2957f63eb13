import { accessSync, constants, readFileSync, type Stats, statSync } from 'node:fs'
import { userInfo } from 'node:os'
import { dirname } from 'node:path'
import { codeOf } from './errors.ts'

/** How a path was to be used; `secret`: read, and nobody else's business. */
export type DeniedUse = 'read' | 'secret' | 'write' | 'connect'

/** The path that the system refused with EACCES or EPERM, from the error or a cause of it. */
export function deniedPathOf(error: unknown): string | null {
  let current: unknown = error
  for (let depth = 0; current instanceof Error && depth < 5; depth += 1) {
    const { path, address } = current as { path?: unknown; address?: unknown }
    const found = path ?? address
    if (isDenied(codeOf(current)) && typeof found === 'string') return found
    current = current.cause
  }
  return null
}

export function isDenied(code: string): boolean {
  return code === 'EACCES' || code === 'EPERM'
}

/**
 * What a person does about a path that was refused: who this is, whose the path is, with which
 * mode, and the command that mends it. Asked only after a failure, and at once.
 */
export function deniedRemedy(path: string, use: DeniedUse): string {
  const me = self()
  const obstacle = obstacleAt(path, use)
  if (obstacle === null) {
    return `this is user ${me.name} (uid ${me.uid}); run it as a user that may, with sudo`
  }
  const { path: at, stats } = obstacle
  const owner = nameOf('/etc/passwd', stats.uid)
  const group = nameOf('/etc/group', stats.gid)
  const mode = (stats.mode & 0o7777).toString(8).padStart(4, '0')
  const whose = `${at} belongs to ${owner}:${group}, mode ${mode}`
  const facts = `this is user ${me.name} (uid ${me.uid}); ${whose}`
  return `${facts}. ${mending({ at, stats, use, owner, group, me: me.name, isPath: at === path })}`
}

interface Mending {
  readonly at: string
  readonly stats: Stats
  readonly use: DeniedUse
  readonly owner: string
  readonly group: string
  readonly me: string
  /** False: a folder above it is closed. */
  readonly isPath: boolean
}

function mending({ at, stats, use, owner, group, me, isPath }: Mending): string {
  const asOwner = `Run it as that user (sudo -u ${owner} ...)`
  if (use === 'connect') {
    const mayJoin = (stats.mode & (isPath ? 0o020 : 0o010)) !== 0
    const join = `sudo usermod -aG ${group} ${me}, then log in again`
    return mayJoin ? `Use sudo, or join the group: ${join}.` : 'Use sudo.'
  }
  if (use === 'secret' && isPath)
    return `${asOwner}, or make the file yours: sudo chown ${me} ${at}`
  if (use === 'write') return `${asOwner}, or make it yours: sudo chown -R ${me} ${at}`
  const bits = stats.isDirectory() ? 'rx' : 'r'
  const open = (stats.mode & (stats.isDirectory() ? 0o050 : 0o040)) !== 0
  const join = `sudo usermod -aG ${group} ${me}, then log in again`
  return open
    ? `${asOwner}, or join the group: ${join}`
    : `${asOwner}, or: sudo chmod g+${bits} ${at}`
}

/** The first thing on the way that this user may not pass or use. */
function obstacleAt(path: string, use: DeniedUse): { path: string; stats: Stats } | null {
  const above: string[] = []
  for (let at = dirname(path); ; at = dirname(at)) {
    above.unshift(at)
    if (at === dirname(at)) break
  }
  const closed = above.find((folder) => !may(folder, constants.X_OK))
  // What is to be made there is refused by its folder.
  const subject = closed ?? (statOf(path) === null ? dirname(path) : path)
  const wanted = use === 'read' || use === 'secret' ? constants.R_OK : constants.W_OK
  if (closed === undefined && may(subject, wanted)) return null
  const stats = statOf(subject)
  return stats === null ? null : { path: subject, stats }
}

function may(path: string, mode: number): boolean {
  try {
    accessSync(path, mode)
    return true
  } catch {
    // Also what is not there may not be used.
    return false
  }
}

function statOf(path: string): Stats | null {
  return statSync(path, { throwIfNoEntry: false }) ?? null
}

function self(): { readonly name: string; readonly uid: number } {
  const uid = process.getuid?.() ?? 0
  try {
    return { name: userInfo().username, uid }
  } catch {
    // A container's user may have no name.
    return { name: String(uid), uid }
  }
}

/** The number itself where the machine has no name for it. */
function nameOf(table: '/etc/passwd' | '/etc/group', id: number): string {
  try {
    const rows = readFileSync(table, 'utf8').split('\n')
    const row = rows.map((line) => line.split(':')).find((fields) => fields[2] === String(id))
    return row?.[0] ?? String(id)
  } catch {
    // A minimal image has no such table.
    return String(id)
  }
}
