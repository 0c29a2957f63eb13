import type { FuzzTarget } from '../engine/target.ts'

/** A defect that only five right bytes in a row reach: one input in 2^40. */
function read(bytes: Buffer): void {
  if (bytes[3] !== 0x6c) return
  if (bytes[4] !== 0xb1) return
  if (bytes[5] !== 0x17) return
  if (bytes[6] !== 0xf0) return
  if (bytes[7] === 0x3d) throw new TypeError('planted')
}

export const createTarget = async (): Promise<FuzzTarget> => ({
  inputBytesMax: 32,
  seeds: [Buffer.alloc(16)],
  run: read,
})
