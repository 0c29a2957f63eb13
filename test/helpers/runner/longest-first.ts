import { basename } from 'node:path'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/**
 * Files of a minute and more, longest first. A fresh clone knows no times, and goes by the size of
 * the files: then the longest one may begin last, and all workers but one have nothing to do.
 */
export const LONGEST = [
  'disk-full',
  'chaos',
  'source-failover',
  'source-crash',
  'source-checksum',
  'replica-channels',
  'source-reset',
  'pair-content',
  'pair-crash',
  'preauth',
  'demo',
  'many-files',
  'pair-sql',
  'source-purge',
  'replica-filters',
  'pair-trouble',
  'pair-memory',
].map((name) => `${name}.test.ts`)

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    return sorted.toSorted((one, other) => placeOf(one) - placeOf(other))
  }
}

function placeOf({ moduleId }: TestSpecification): number {
  const place = LONGEST.indexOf(basename(moduleId))
  return place < 0 ? LONGEST.length : place
}
