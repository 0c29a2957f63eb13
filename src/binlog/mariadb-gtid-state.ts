import assert from 'node:assert/strict'
import { LandbridgeError } from '../base/errors.ts'
import type { GtidSet } from './gtid-set.ts'

export interface MariadbGtid {
  readonly domainId: number
  readonly serverId: number
  readonly sequence: bigint
}

interface Domain {
  /** Server that made the newest transaction of this domain, and the number of that. */
  newest: number
  sequence: bigint
  /** Last numbers of the other servers. Null for none: a source may have thousands of domains. */
  others: Map<number, bigint> | null
}

const ID_MAX = 0xffff_ffff
const SEQUENCE_MAX = 2n ** 64n - 1n

/**
 * What MariaDB keeps of the GTIDs it has logged: per domain the last sequence number of each
 * server, and which of these is the newest. `toString()` is the GTID position (the newest per
 * domain, as in `gtid_binlog_pos`); `toStateString()` is `gtid_binlog_state`.
 */
export class MariadbGtidState implements GtidSet {
  readonly flavor = 'mariadb'
  readonly #domains = new Map<number, Domain>()
  /** Their numbers in order, and what `toString` says; null when it has to be made anew. */
  #sorted: readonly number[] | null = null
  #text: string | null = null

  add(gtid: string): void {
    const { domainId, serverId, sequence } = parseMariadbGtid(gtid)
    this.addParts(domainId, serverId, sequence)
  }

  /** The added GTID is the newest of its domain, whatever its sequence number. */
  addParts(domainId: number, serverId: number, sequence: bigint | number): void {
    const number = BigInt(sequence)
    const domain = this.#domains.get(domainId)
    this.#text = null
    if (domain === undefined) {
      this.#domains.set(domainId, { newest: serverId, sequence: number, others: null })
      this.#sorted = null
      return
    }
    if (domain.newest !== serverId) {
      domain.others ??= new Map()
      domain.others.delete(serverId)
      domain.others.set(domain.newest, domain.sequence)
    }
    domain.newest = serverId
    domain.sequence = number
  }

  addSet(other: GtidSet): void {
    for (const { domainId, serverId, sequence } of asMariadb(other).all()) {
      this.addParts(domainId, serverId, sequence)
    }
  }

  removeDomain(domainId: number): void {
    this.#domains.delete(domainId)
    this.#sorted = null
    this.#text = null
  }

  /** The newest GTID of a domain. */
  last(domainId: number): MariadbGtid | undefined {
    const domain = this.#domains.get(domainId)
    if (domain === undefined) return undefined
    return { domainId, serverId: domain.newest, sequence: domain.sequence }
  }

  /** The last sequence number that `serverId` made in a domain. */
  lastOf(domainId: number, serverId: number): bigint | undefined {
    const domain = this.#domains.get(domainId)
    return domain?.newest === serverId ? domain.sequence : domain?.others?.get(serverId)
  }

  /** The GTID position: one GTID per domain, by domain. */
  position(): MariadbGtid[] {
    this.#sorted ??= [...this.#domains.keys()].sort((left, right) => left - right)
    return this.#sorted.map((id) => this.last(id) as MariadbGtid)
  }

  /** All (domain, server) pairs, the newest of each domain last. */
  *all(): Generator<MariadbGtid> {
    for (const newest of this.position()) {
      const { domainId } = newest
      const others = [...(this.#domains.get(domainId)?.others ?? [])]
      others.sort(([left], [right]) => left - right)
      for (const [serverId, sequence] of others) yield { domainId, serverId, sequence }
      yield newest
    }
  }

  contains(other: GtidSet): boolean {
    for (const domainId of asMariadb(other).#domains.keys()) {
      if (this.#sequenceOf(domainId) < asMariadb(other).#sequenceOf(domainId)) return false
    }
    return true
  }

  countMissingFrom(other: GtidSet): bigint {
    const target = asMariadb(other)
    let sum = 0n
    for (const domainId of this.#domains.keys()) {
      const ahead = this.#sequenceOf(domainId) - target.#sequenceOf(domainId)
      if (ahead > 0n) sum += ahead
    }
    return sum
  }

  /** The newest GTID of each domain in which this state is ahead. */
  missingFrom(other: GtidSet): string {
    const target = asMariadb(other)
    const ahead = this.position().filter(({ domainId, sequence }) => {
      return target.#sequenceOf(domainId) < sequence
    })
    return ahead.map(formatMariadbGtid).join(',')
  }

  /** Sequence numbers begin at 1: a GTID with 0 stands before the first transaction. */
  #sequenceOf(domainId: number): bigint {
    return this.#domains.get(domainId)?.sequence ?? 0n
  }

  isEmpty(): boolean {
    return this.#domains.size === 0
  }

  get size(): number {
    return this.#domains.size
  }

  clone(): MariadbGtidState {
    const copy = new MariadbGtidState()
    copy.addSet(this)
    return copy
  }

  toString(): string {
    this.#text ??= this.position().map(formatMariadbGtid).join(',')
    return this.#text
  }

  toStateString(): string {
    return [...this.all()].map(formatMariadbGtid).join(',')
  }
}

/** Reads a position or a binlog state; of several servers in a domain the last is the newest. */
export function parseMariadbGtidState(text: string): MariadbGtidState {
  const state = new MariadbGtidState()
  for (const part of text.split(',')) if (part.trim() !== '') state.add(part)
  return state
}

export function parseMariadbGtid(text: string): MariadbGtid {
  const match = /^\s*(\d{1,10})-(\d{1,10})-(\d{1,20})\s*$/.exec(text)
  const domainId = Number(match?.[1])
  const serverId = Number(match?.[2])
  const sequence = BigInt(match?.[3] ?? 0)
  if (match === null || domainId > ID_MAX || serverId > ID_MAX || sequence > SEQUENCE_MAX) {
    const shown = text.length > 80 ? `${text.slice(0, 80)}...` : text
    throw new LandbridgeError('ERR_GTID_SYNTAX', `not a MariaDB GTID: ${JSON.stringify(shown)}`)
  }
  return { domainId, serverId, sequence }
}

export function formatMariadbGtid(gtid: MariadbGtid): string {
  return `${gtid.domainId}-${gtid.serverId}-${gtid.sequence}`
}

function asMariadb(set: GtidSet): MariadbGtidState {
  assert(set instanceof MariadbGtidState, 'sets of different flavours do not compare')
  return set
}
