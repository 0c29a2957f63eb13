import { LandbridgeError } from '../base/errors.ts'
import { type Flavor, otherFlavor } from '../base/flavor.ts'
import { type EpochRecord, epochFolder } from './spool-file.ts'

/**
 * GTIDs of one flavor say nothing of the other's, and no replica can go on from one to the other:
 * the epochs of one spool are all of one flavor. Throws ERR_SPOOL_FLAVOR before anything changes.
 */
export function refuseMixedFlavors(directory: string, epochs: readonly EpochRecord[]): void {
  const flavors = new Set(epochs.map(({ source }) => source.flavor))
  if (flavors.size < 2) return
  const folders = [...flavors].map((flavor) => {
    const ofFlavor = epochs.filter(({ source }) => source.flavor === flavor)
    return `${ofFlavor.map(({ epoch }) => epochFolder('', epoch)).join(', ')} of ${flavor}`
  })
  throw new LandbridgeError(
    'ERR_SPOOL_FLAVOR',
    `${directory} has epochs of both flavors: ${folders.join('; ')}`,
    {
      remedy:
        'Move the folders of the flavor that the source is not of out of it, or give the stream a' +
        ' new `spool.directory`. Nothing was changed or removed.',
    },
  )
}

/** The same for a source that is to go on with what `epochs` hold. */
export function refuseOtherFlavor(
  directory: string,
  epochs: readonly EpochRecord[],
  flavor: Flavor,
): void {
  const other = epochs.find(({ source }) => source.flavor !== flavor)
  if (other !== undefined) throw otherFlavor(directory, other.source.flavor, flavor)
}
