/**
 * When a transaction was committed, where the event says it only in whole seconds (MariaDB): some
 * time in [seconds, seconds + 1). A source hands a commit out at once, so the moment it was read is
 * the best guess inside that second; what was read later than that is backlog and counts from the
 * end of its second. `readMs` is in the source's clock.
 */
export function commitMsOfSeconds(seconds: number, readMs: number): number {
  const firstMs = seconds * 1000
  return Math.min(Math.max(readMs, firstMs), firstMs + 999)
}
