import type { ClaimedFile, ClaimName, LogFile } from '../../../src/binlog/log.ts'
import type { ReplicaClaims } from '../../../src/relay/served-log.ts'
import type { ReplicaStanding } from '../../../src/status/replica-standing.ts'

/** Keeps nothing from anything, but remembers what it was asked to. */
export class RecordedClaims implements ReplicaClaims {
  /** The file that each claim keeps. */
  readonly kept = new Map<ClaimName, string>()
  outdated: readonly string[] = []
  readonly #files: () => readonly LogFile[]

  constructor(files: () => readonly LogFile[]) {
    this.#files = files
  }

  standing(replica: string): ReplicaStanding {
    return this.outdated.includes(replica) ? 'outdated' : 'sound'
  }

  hasPlaceFor(): boolean {
    return true
  }

  seniority(replica: string): number {
    const at = [...this.kept.keys()].indexOf(`replica:${replica}`)
    return at < 0 ? Number.POSITIVE_INFINITY : at
  }

  confirm(claim: ClaimName, { ordinal }: ClaimedFile): void {
    const file = this.#files().find((candidate) => candidate.ordinal === ordinal)
    if (file !== undefined) this.kept.set(claim, file.name)
  }

  letGo(claim: ClaimName): void {
    this.kept.delete(claim)
  }
}
