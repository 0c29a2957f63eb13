import type { FuzzTarget } from '../engine/target.ts'

export const createTarget = async (): Promise<FuzzTarget> => ({
  inputBytesMax: 32,
  seeds: [Buffer.alloc(8)],
  /** Believes the length in front, and makes room for it before it looks at what is there. */
  run: (input) => {
    if (input.length >= 4) Buffer.alloc(input.readUInt32LE(0) >>> 6)
  },
})
