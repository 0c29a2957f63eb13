import type { Random } from '../../../src/lab/load/workload-statements.ts'
import { applyChange, type FileNode, type Outcome } from './memory-file-system.ts'

/** No change that was not synced had reached the disk. */
export const ALL_LOST: Outcome = { file: ({ stable }) => stable, names: () => [] }

/** Every one had. */
export const ALL_KEPT: Outcome = {
  file: ({ stable, pending }) => pending.reduce(applyChange, stable),
  names: (pending) => pending,
}

/** Every name had, and of each file's changes the first `bytes` bytes. */
export function tornAt(bytes: number, rest: 'missing' | 'zeros'): Outcome {
  return { file: (node) => torn(node, bytes, rest), names: (pending) => pending }
}

/** Each file and folder for itself: nothing, everything, a torn part, or some in any order. */
export function anyOutcome(random: Random): Outcome {
  const below = (limit: number): number => Math.floor(random() * limit)
  return {
    file(node) {
      const way = below(5)
      if (way === 0) return ALL_LOST.file(node)
      if (way === 1) return ALL_KEPT.file(node)
      const kept = node.pending.filter(() => way < 4 || random() < 0.5)
      const bytes = kept.reduce((sum, change) => sum + sizeOf(change), 0)
      const rest = way === 2 ? 'missing' : 'zeros'
      return torn({ ...node, pending: kept }, below(bytes + 1), rest)
    },
    names(pending) {
      // A journal keeps the order; a file system without one promises nothing.
      if (random() < 0.5) return pending.slice(0, below(pending.length + 1))
      return pending.filter(() => random() < 0.5)
    },
  }
}

function sizeOf(change: FileNode['pending'][number]): number {
  return change.kind === 'write' ? change.bytes.length : 0
}

/** `zeros`: the size had been recorded, the content not. */
function torn({ stable, pending }: FileNode, bytes: number, rest: 'missing' | 'zeros'): Buffer {
  let result = stable
  let left = bytes
  for (const change of pending) {
    if (change.kind === 'size') {
      result = applyChange(result, change)
      continue
    }
    const whole = change.bytes
    const part = whole.subarray(0, left)
    const missing = rest === 'zeros' ? Buffer.alloc(whole.length - part.length) : Buffer.alloc(0)
    left -= part.length
    const content = Buffer.concat([part, missing])
    if (content.length > 0) result = applyChange(result, { ...change, bytes: content })
    if (rest === 'missing' && part.length < whole.length) break
  }
  return result
}
