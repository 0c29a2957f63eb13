import assert from 'node:assert/strict'
import { LandbridgeError } from '../base/errors.ts'
import type { GtidSet } from './gtid-set.ts'

export interface MariadbGtid {
  readonly domainId: number
  readonly serverId: number
  readonly sequence: bigint
}

interface Domain {
  /** Server that made the newest transaction of this domain. */
  newest: number
  readonly sequences: Map<number, bigint>
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

  add(gtid: string): void {
    const { domainId, serverId, sequence } = parseMariadbGtid(gtid)
    this.addParts(domainId, serverId, sequence)
  }

  /** The added GTID is the newest of its domain, whatever its sequence number. */
  addParts(domainId: number, serverId: number, sequence: bigint | number): void {
    let domain = this.#domains.get(domainId)
    if (domain === undefined) {
      domain = { newest: serverId, sequences: new Map() }
      this.#domains.set(domainId, domain)
    }
    domain.newest = serverId
    domain.sequences.set(serverId, BigInt(sequence))
  }

  addSet(other: GtidSet): void {
    for (const { domainId, serverId, sequence } of asMariadb(other).all()) {
      this.addParts(domainId, serverId, sequence)
    }
  }

  removeDomain(domainId: number): void {
    this.#domains.delete(domainId)
  }

  /** The newest GTID of a domain. */
  last(domainId: number): MariadbGtid | undefined {
    const domain = this.#domains.get(domainId)
    if (domain === undefined) return undefined
    const sequence = domain.sequences.get(domain.newest) as bigint
    return { domainId, serverId: domain.newest, sequence }
  }

  /** The last sequence number that `serverId` made in a domain. */
  lastOf(domainId: number, serverId: number): bigint | undefined {
    return this.#domains.get(domainId)?.sequences.get(serverId)
  }

  /** The GTID position: one GTID per domain, by domain. */
  position(): MariadbGtid[] {
    const ids = [...this.#domains.keys()].sort((left, right) => left - right)
    return ids.map((id) => this.last(id) as MariadbGtid)
  }

  /** All (domain, server) pairs, the newest of each domain last. */
  *all(): Generator<MariadbGtid> {
    for (const newest of this.position()) {
      const { domainId } = newest
      const servers = [...(this.#domains.get(domainId) as Domain).sequences]
      servers.sort(([left], [right]) => left - right)
      for (const [serverId, sequence] of servers) {
        if (serverId !== newest.serverId) yield { domainId, serverId, sequence }
      }
      yield newest
    }
  }

  contains(other: GtidSet): boolean {
    return this.#ahead(asMariadb(other), this).length === 0
  }

  countMissingFrom(other: GtidSet): bigint {
    const target = asMariadb(other)
    let sum = 0n
    for (const { domainId, sequence } of this.#ahead(this, target)) {
      sum += sequence - (target.last(domainId)?.sequence ?? 0n)
    }
    return sum
  }

  /** The newest GTID of each domain in which this state is ahead. */
  missingFrom(other: GtidSet): string {
    return this.#ahead(this, asMariadb(other)).map(formatMariadbGtid).join(',')
  }

  #ahead(source: MariadbGtidState, target: MariadbGtidState): MariadbGtid[] {
    // Sequence numbers begin at 1: a GTID with 0 stands before the first transaction.
    return source
      .position()
      .filter(({ domainId, sequence }) => (target.last(domainId)?.sequence ?? 0n) < sequence)
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
    return this.position().map(formatMariadbGtid).join(',')
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
