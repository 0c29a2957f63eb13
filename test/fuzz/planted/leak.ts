import type { FuzzTarget } from '../engine/target.ts'

const KEPT_BYTES = 4 * 1024
const kept: Buffer[] = []

export const createTarget = async (): Promise<FuzzTarget> => ({
  inputBytesMax: 32,
  seeds: [Buffer.from([1, 2, 3])],
  /** Keeps something of every input for ever. */
  run: () => void kept.push(Buffer.alloc(KEPT_BYTES, 1)),
})
