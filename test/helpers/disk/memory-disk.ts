import { basename, dirname } from 'node:path'
import type { Disk, DiskFile, DiskRoom } from '../../../src/base/disk.ts'
import type { FolderLock } from '../../../src/base/folder-lock.ts'
import {
  applyChange,
  applyNames,
  type FileChange,
  type FileNode,
  type FolderNode,
  MemoryFileSystem,
  type NameChange,
  newFile,
  newFolder,
  type Outcome,
} from './memory-file-system.ts'

export interface DiskCall {
  readonly name: keyof DiskFile | keyof Disk
  readonly path: string
  /** Whether the call changes anything: a crash before a read is none of its own. */
  readonly isChange: boolean
}

/** What becomes of a call; undefined: it does what it should. */
export type Fault =
  | undefined
  /** It fails. A failed datasync drops what waited for it, as Linux does. */
  | { readonly error: 'EIO' | 'ENOSPC' }
  /** A write that takes only so many bytes. */
  | { readonly takes: number }

const CHANGES = new Set<DiskCall['name']>([
  ...(['writev', 'datasync', 'sync', 'mkdir', 'truncate', 'rename', 'unlink'] as const),
  'syncDirectory',
])

/**
 * A disk in memory which knows what is only in the page cache. A name is durable once its folder
 * was synced, content once its file was; nothing else is.
 */
export class MemoryDisk implements Disk {
  readonly files: MemoryFileSystem
  readonly #locked = new Set<string>()
  /** Asked before each call; what it awaits, delays the call. */
  before: (call: DiskCall) => Fault | Promise<Fault> = () => undefined

  constructor(files: MemoryFileSystem = new MemoryFileSystem()) {
    this.files = files
  }

  afterKill(): MemoryDisk {
    return new MemoryDisk(this.files.copy())
  }

  afterPowerLoss(outcome: Outcome): MemoryDisk {
    return new MemoryDisk(this.files.afterPowerLoss(outcome))
  }

  /** As programs see it. */
  bytesOf(path: string): Buffer {
    return this.#file(path).seen
  }

  /** As programs see them. */
  namesIn(path: string): string[] {
    return [...this.#folder(path).seen.keys()]
  }

  async open(path: string, flags: 'r' | 'r+' | 'w', _mode?: number): Promise<DiskFile> {
    await this.#enter('open', path, flags === 'w')
    if (flags === 'w') {
      const there = this.files.find(path)
      if (there === undefined) this.#setName(path, this.files.add(newFile()))
      else this.#change(this.#file(path), { kind: 'size', bytes: 0 })
    }
    return this.#handle(path, this.#file(path))
  }

  async readText(path: string): Promise<string> {
    await this.#enter('readText', path)
    return this.#file(path).seen.toString('utf8')
  }

  async stat(path: string): Promise<{ readonly size: number }> {
    await this.#enter('stat', path)
    const node = this.files.node(this.#found(path, 'stat'))
    return { size: node.kind === 'file' ? node.seen.length : 0 }
  }

  async readdir(path: string): Promise<readonly string[]> {
    await this.#enter('readdir', path)
    return this.namesIn(path)
  }

  async mkdir(path: string, _mode: number): Promise<void> {
    await this.#enter('mkdir', path)
    if (this.files.find(path) !== undefined) throw systemError('EEXIST', 'mkdir', path)
    this.#setName(path, this.files.add(newFolder()))
  }

  async truncate(path: string, bytes: number): Promise<void> {
    await this.#enter('truncate', path)
    this.#change(this.#file(path), { kind: 'size', bytes })
  }

  /** Of the processes that have this disk open: a kill drops them, so a copy has none. */
  async lockFolder(path: string): Promise<FolderLock | null> {
    await this.#enter('lockFolder', path)
    const node = this.#found(path, 'open')
    if (this.#locked.has(path)) return null
    this.#locked.add(path)
    return {
      isHeld: async () => this.files.find(path) === node,
      release: async () => void this.#locked.delete(path),
    }
  }

  async room(path: string): Promise<DiskRoom> {
    await this.#enter('room', path)
    return { bytes: Number.MAX_SAFE_INTEGER, inodes: null }
  }

  async rename(path: string, newPath: string): Promise<void> {
    await this.#enter('rename', newPath)
    if (dirname(path) !== dirname(newPath)) throw new TypeError('only within a folder')
    const node = this.#found(path, 'rename')
    const set = { name: basename(newPath), node }
    this.#changeNames(dirname(path), { remove: basename(path), set })
  }

  async unlink(path: string): Promise<void> {
    await this.#enter('unlink', path)
    this.#found(path, 'unlink')
    this.#changeNames(dirname(path), { remove: basename(path), set: null })
  }

  async syncDirectory(path: string): Promise<void> {
    await this.#enter('syncDirectory', path)
    const folder = this.#folder(path)
    for (const change of folder.pending) applyNames(folder.stable, change)
    folder.pending = []
  }

  #handle(path: string, file: FileNode): DiskFile {
    const sync = async (name: 'sync' | 'datasync'): Promise<void> => {
      // What is written while it runs may miss it.
      const covered = file.pending.length
      await this.#enter(name, path, true, () => {
        file.pending = file.pending.slice(covered)
      })
      file.stable = file.pending.slice(0, covered).reduce(applyChange, file.stable)
      file.pending = file.pending.slice(covered)
    }
    return {
      writev: async (buffers, at) => {
        const fault = await this.#enter('writev', path)
        const all = Buffer.concat(buffers)
        const takes = fault !== undefined && 'takes' in fault ? fault.takes : all.length
        this.#change(file, { kind: 'write', at, bytes: all.subarray(0, takes) })
        return { bytesWritten: Math.min(takes, all.length) }
      },
      read: async (buffer, offset, length, position) => {
        await this.#enter('read', path)
        const there = file.seen.subarray(position, position + length)
        return { bytesRead: there.copy(buffer, offset) }
      },
      stat: async () => ({ size: file.seen.length }),
      datasync: () => sync('datasync'),
      sync: () => sync('sync'),
      close: async () => undefined,
    }
  }

  async #enter(
    name: DiskCall['name'],
    path: string,
    isChange = CHANGES.has(name),
    failed: () => void = () => undefined,
  ): Promise<Fault> {
    const fault = await this.before({ name, path, isChange })
    if (fault === undefined || !('error' in fault)) return fault
    failed()
    throw systemError(fault.error, name, path)
  }

  #change(file: FileNode, change: FileChange): void {
    file.seen = applyChange(file.seen, change)
    file.pending.push(change)
  }

  #setName(path: string, node: number): void {
    this.#changeNames(dirname(path), { remove: null, set: { name: basename(path), node } })
  }

  #changeNames(path: string, change: NameChange): void {
    const folder = this.#folder(path)
    applyNames(folder.seen, change)
    folder.pending.push(change)
  }

  #found(path: string, call: string): number {
    const id = this.files.find(path)
    if (id === undefined) throw systemError('ENOENT', call, path)
    return id
  }

  #file(path: string): FileNode {
    const node = this.files.node(this.#found(path, 'open'))
    if (node.kind === 'file') return node
    throw systemError('EISDIR', 'open', path)
  }

  #folder(path: string): FolderNode {
    const node = this.files.node(this.#found(path, 'open'))
    if (node.kind === 'folder') return node
    throw systemError('ENOTDIR', 'open', path)
  }
}

export function systemError(code: string, syscall: string, path: string): Error {
  return Object.assign(new Error(`${code}: made up, ${syscall} '${path}'`), { code, syscall })
}
