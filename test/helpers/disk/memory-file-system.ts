/**
 * What a machine knows of its files, twice: as programs see it (`seen`, the page cache) and as it
 * is sure to come back after a loss of power (`stable`). Between them lie the changes that no sync
 * has covered yet, in order.
 */
export interface FileNode {
  readonly kind: 'file'
  seen: Buffer
  stable: Buffer
  pending: FileChange[]
}

/** A symbolic link; what it says never changes. */
export interface LinkNode {
  readonly kind: 'link'
  readonly text: string
}

export type Node = FileNode | FolderNode | LinkNode

export interface FolderNode {
  readonly kind: 'folder'
  readonly seen: Map<string, number>
  readonly stable: Map<string, number>
  pending: NameChange[]
}

export type FileChange =
  | { readonly kind: 'write'; readonly at: number; readonly bytes: Buffer }
  | { readonly kind: 'size'; readonly bytes: number }

/** A rename removes one name and sets another in one step. */
export interface NameChange {
  readonly remove: string | null
  readonly set: { readonly name: string; readonly node: number } | null
}

/** Which pending changes had reached the disk when the power went. */
export interface Outcome {
  file(node: FileNode): Buffer
  names(pending: readonly NameChange[]): readonly NameChange[]
}

const ROOT = 1

/** Inodes and names, copied cheaply: buffers are never changed in place. */
export class MemoryFileSystem {
  readonly #nodes: Map<number, Node>

  constructor(nodes?: Map<number, Node>) {
    this.#nodes = nodes ?? new Map([[ROOT, newFolder()]])
  }

  /** As the next process finds it when this one was killed: nothing is lost, nothing is safer. */
  copy(): MemoryFileSystem {
    const copy = ([id, node]: [number, Node]): [number, Node] => {
      if (node.kind === 'link') return [id, node]
      const pending = [...node.pending]
      if (node.kind === 'file') return [id, { ...node, pending: pending as FileChange[] }]
      const names = { seen: new Map(node.seen), stable: new Map(node.stable) }
      return [id, { kind: 'folder', ...names, pending: pending as NameChange[] }]
    }
    return new MemoryFileSystem(new Map([...this.#nodes].map(copy)))
  }

  /** As the machine finds it when the power is back. */
  afterPowerLoss(outcome: Outcome): MemoryFileSystem {
    const nodes = new Map<number, Node>()
    for (const [id, node] of this.#nodes) {
      if (node.kind === 'link') nodes.set(id, node)
      else if (node.kind === 'file') {
        const bytes = node.pending.length === 0 ? node.stable : outcome.file(node)
        nodes.set(id, { kind: 'file', seen: bytes, stable: bytes, pending: [] })
      } else {
        const stable = new Map(node.stable)
        for (const change of outcome.names(node.pending)) applyNames(stable, change)
        nodes.set(id, { kind: 'folder', seen: new Map(stable), stable, pending: [] })
      }
    }
    return new MemoryFileSystem(nodes)
  }

  node(id: number): Node {
    const node = this.#nodes.get(id)
    if (node === undefined) throw new TypeError(`no inode ${id}`)
    return node
  }

  add(node: Node): number {
    const id = this.#nodes.size + ROOT
    this.#nodes.set(id, node)
    return id
  }

  /** The inode that `path` names, as programs see it. */
  find(path: string): number | undefined {
    let id: number | undefined = ROOT
    for (const name of partsOf(path)) {
      const node: Node | undefined = id === undefined ? id : this.node(id)
      id = node?.kind === 'folder' ? node.seen.get(name) : undefined
    }
    return id
  }

  /** How much of the file at `path` no loss of power can take; null when not even its name. */
  durable(path: string): Buffer | null {
    let node = this.node(ROOT)
    for (const name of partsOf(path)) {
      if (node.kind !== 'folder') return null
      const isMoving = node.pending.some((change) => touches(change, name))
      const id = node.stable.get(name)
      if (isMoving || id === undefined) return null
      node = this.node(id)
    }
    return node.kind === 'file' ? surePart(node) : null
  }
}

export function newFile(): FileNode {
  return { kind: 'file', seen: Buffer.alloc(0), stable: Buffer.alloc(0), pending: [] }
}

export function newFolder(): FolderNode {
  return { kind: 'folder', seen: new Map(), stable: new Map(), pending: [] }
}

function partsOf(path: string): string[] {
  return path.split('/').filter((part) => part !== '')
}

export function applyNames(names: Map<string, number>, { remove, set }: NameChange): void {
  if (remove !== null) names.delete(remove)
  if (set !== null) names.set(set.name, set.node)
}

export function applyChange(bytes: Buffer, change: FileChange): Buffer {
  if (change.kind === 'write') return written(bytes, change.at, change.bytes)
  if (change.bytes <= bytes.length) return bytes.subarray(0, change.bytes)
  return Buffer.concat([bytes, Buffer.alloc(change.bytes - bytes.length)])
}

/** A copy of `bytes` with `more` at `at`; a gap between them is zeros. */
function written(bytes: Buffer, at: number, more: Buffer): Buffer {
  const result = Buffer.alloc(Math.max(bytes.length, at + more.length))
  bytes.copy(result)
  more.copy(result, at)
  return result
}

function touches({ remove, set }: NameChange, name: string): boolean {
  return remove === name || set?.name === name
}

function surePart({ stable, pending }: FileNode): Buffer {
  let sure = stable.length
  for (const change of pending) {
    if (change.kind === 'size') sure = Math.min(sure, change.bytes)
    else if (!isSame(stable, change.at, change.bytes)) sure = Math.min(sure, change.at)
  }
  return stable.subarray(0, sure)
}

function isSame(stable: Buffer, at: number, bytes: Buffer): boolean {
  const there = stable.subarray(at, at + bytes.length)
  return there.equals(bytes.subarray(0, there.length))
}
