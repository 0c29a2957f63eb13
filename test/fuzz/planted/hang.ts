import type { FuzzTarget } from '../engine/target.ts'

const isTrigger = (bytes: Buffer): boolean => bytes[0] === 0xee

/** Never comes back from an input that begins with 0xee. */
function read(bytes: Buffer): void {
  while (isTrigger(bytes)) {
    // Nothing gets it out of here.
  }
}

export const createTarget = async (): Promise<FuzzTarget> => ({
  inputBytesMax: 32,
  seeds: [Buffer.from([1, 2, 3])],
  run: read,
})
