import { groupOf } from '../../base/doorstep.ts'

/** What a login may make the relay keep: each kind is counted for itself. */
export type MemoryKind = 'variables' | 'packet' | 'answer' | 'dump'

export interface MemoryShare {
  /** So many bytes of that kind are kept now. May end this or another login. */
  keep(kind: MemoryKind, bytes: number): void
  leave(): void
}

interface Holder extends MemoryShare {
  readonly group: string
  readonly letGo: () => void
  readonly kinds: Map<MemoryKind, number>
  bytes: number
}

/**
 * Bounds what all logins together make the relay keep. When it is too much, the address that holds
 * most loses its largest login: who asks for little is never the one.
 */
export class LoginMemory {
  readonly #bytesMax: number
  readonly #holders = new Set<Holder>()
  #bytes = 0

  constructor(options: { readonly bytesMax: number }) {
    this.#bytesMax = options.bytesMax
  }

  get bytes(): number {
    return this.#bytes
  }

  /** `letGo` has to free what is kept at once. */
  share(address: string, letGo: () => void): MemoryShare {
    const holder: Holder = {
      group: groupOf(address),
      letGo,
      kinds: new Map(),
      bytes: 0,
      keep: (kind, bytes) => {
        if (!this.#holders.has(holder)) return
        this.#add(holder, bytes - (holder.kinds.get(kind) ?? 0))
        holder.kinds.set(kind, bytes)
        while (this.#bytes > this.#bytesMax) this.#letLargestGo()
      },
      leave: () => {
        if (this.#holders.delete(holder)) this.#bytes -= holder.bytes
      },
    }
    this.#holders.add(holder)
    return holder
  }

  #add(holder: Holder, bytes: number): void {
    holder.bytes += bytes
    this.#bytes += bytes
  }

  #letLargestGo(): void {
    const groups = Map.groupBy(this.#holders, ({ group }) => group)
    const largest = [...groups.values()].reduce((a, b) => (sum(a) >= sum(b) ? a : b), [])
    const [holder] = largest.toSorted((a, b) => b.bytes - a.bytes)
    if (holder === undefined) return
    holder.leave()
    holder.letGo()
  }
}

function sum(holders: readonly Holder[]): number {
  return holders.reduce((bytes, holder) => bytes + holder.bytes, 0)
}
