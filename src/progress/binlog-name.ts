/**
 * Order of two binlog files of one lineage: negative when `a` is older. Compares the number, not
 * the text: after `binlog.999999` comes `binlog.1000000`. Null when the base names differ, for then
 * they are not of one lineage.
 */
export function compareBinlogNames(a: string, b: string): number | null {
  const dotA = a.lastIndexOf('.')
  const dotB = b.lastIndexOf('.')
  if (a.slice(0, dotA) !== b.slice(0, dotB)) return null
  return Number(a.slice(dotA + 1)) - Number(b.slice(dotB + 1))
}
