import type { Disk } from '../base/disk.ts'
import type { SpoolClaims } from './spool-claims.ts'
import { type ShownCatalog, SpoolReader } from './spool-reader.ts'

/**
 * A spool, for whoever is in the process of its writer and does not write: it can be read, and what
 * is read can be claimed. Only SpoolStore, which the writer has, changes what is stored.
 */
export class Spool extends SpoolReader {
  readonly claims: SpoolClaims

  constructor(directory: string, disk: Disk, shown: ShownCatalog, claims: SpoolClaims) {
    super(directory, disk, shown)
    this.claims = claims
  }
}
