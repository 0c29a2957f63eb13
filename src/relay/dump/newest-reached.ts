/**
 * The newest of `files`, oldest first, that `isReached`: so are all before it. Asks about few of
 * them, since a set of GTIDs may be large and files may be thousands. Undefined for none.
 */
export function newestReached<File>(
  files: readonly File[],
  isReached: (file: File) => boolean,
): File | undefined {
  // Most are near the end: steps grow from there until one is reached.
  let after = files.length
  let reached = after - 1
  for (let step = 1; reached >= 0 && !isReached(files[reached] as File); step *= 2) {
    after = reached
    reached = Math.max(after - step, after === 0 ? -1 : 0)
  }
  if (reached < 0) return undefined
  while (after - reached > 1) {
    const middle = (reached + after) >>> 1
    if (isReached(files[middle] as File)) reached = middle
    else after = middle
  }
  return files[reached]
}
