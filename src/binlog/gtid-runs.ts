import { addMariadbGtid, type GtidEvent } from './gtid-event.ts'
import type { GtidSet } from './gtid-set.ts'
import { MysqlGtidSet } from './mysql-gtid-set.ts'

interface MysqlRun {
  readonly flavor: 'mysql'
  readonly uuid: string
  readonly tag: string
  readonly first: bigint
  last: bigint
}

interface MariadbRun {
  readonly flavor: 'mariadb'
  readonly domainId: number
  readonly serverId: number
  sequence: bigint
}

/**
 * The GTIDs of transactions in their order, for adding them to a set later. One server numbers its
 * transactions without gaps, so that thousands of them make one run and leave no object each.
 */
export class GtidRuns {
  readonly #runs: (MysqlRun | MariadbRun)[] = []

  /** How many of them: what adding them costs. */
  get size(): number {
    return this.#runs.length
  }

  /** An anonymous transaction has no GTID and adds nothing. */
  add(event: GtidEvent): void {
    const run = this.#runs.at(-1)
    if (event.flavor === 'mariadb') {
      const { domainId, serverId, sequence } = event.gtid
      const isSame = run?.flavor === 'mariadb' && run.domainId === domainId
      // Of each server in a domain only the highest counts.
      if (isSame && run.serverId === serverId) {
        if (sequence > run.sequence) run.sequence = sequence
      } else this.#runs.push({ flavor: 'mariadb', domainId, serverId, sequence })
    } else if (event.gtid !== null) {
      const { uuid, tag, number } = event.gtid
      const isSame = run?.flavor === 'mysql' && run.uuid === uuid && run.tag === tag
      if (isSame && run.last + 1n === number) run.last = number
      else this.#runs.push({ flavor: 'mysql', uuid, tag, first: number, last: number })
    }
  }

  addTo(set: GtidSet): void {
    for (const run of this.#runs) {
      if (run.flavor === 'mariadb') addMariadbGtid(set, run)
      else if (set instanceof MysqlGtidSet) set.addRange(run.uuid, run.tag, run.first, run.last)
      else throw new TypeError('a MySQL GTID needs a MySQL set')
    }
  }
}
