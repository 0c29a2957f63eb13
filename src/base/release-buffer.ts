/**
 * Gives back the memory below `bytes` at once, for a buffer that nobody reads any more. The
 * collector sees only the small object in front of it: at hundreds of megabytes a second it runs
 * too seldom for the memory, and too often for the processor.
 *
 * `ownedBytes`: how much the owner knows to be its own; memory that has more in it is left alone.
 */
export function releaseBuffer(bytes: Buffer, ownedBytes: number): void {
  const memory = bytes.buffer
  if (memory instanceof ArrayBuffer && memory.byteLength === ownedBytes) memory.transfer(0)
}
