import type { GtidSet } from '../binlog/gtid-set.ts'
import { MysqlGtidSet } from '../binlog/mysql-gtid-set.ts'

/**
 * What a MySQL source counts as executed though none of its files has it: it was added to
 * `gtid_purged` at the running server, or applied there as a replica that does not log what it
 * applies (`log_replica_updates=OFF`). No dump ever brings it.
 */
export class UnloggedGtids {
  #set = new MysqlGtidSet()

  /** As the server prints it; empty for none. */
  get text(): string {
    return this.#set.toString()
  }

  get count(): number {
    return Number(this.#set.count())
  }

  /**
   * All that the source has in its files is held. A source says its GTIDs before its place (SHOW
   * BINARY LOG STATUS reads them first): of those that it says, none is behind that place.
   */
  note(executed: GtidSet | null, held: GtidSet | null): void {
    if (!(executed instanceof MysqlGtidSet) || !(held instanceof MysqlGtidSet)) return
    this.#set.addSet(executed.minus(held))
  }

  /** Whatever came all the same was in a file. */
  drop(held: GtidSet): void {
    if (held instanceof MysqlGtidSet && !this.#set.isEmpty()) this.#set.removeSet(held)
  }

  /** What may still come of `gtids`. */
  without(gtids: GtidSet): GtidSet {
    if (!(gtids instanceof MysqlGtidSet) || this.#set.isEmpty()) return gtids
    return gtids.minus(this.#set)
  }

  clear(): void {
    this.#set = new MysqlGtidSet()
  }
}
