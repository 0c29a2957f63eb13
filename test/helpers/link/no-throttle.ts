import type { ByteThrottle } from '../../../src/link/frame-target.ts'

/** Lets everything pass. */
export const noThrottle: ByteThrottle = {
  pieceBytes: Number.POSITIVE_INFINITY,
  pausedAtMs: null,
  admit: async () => ({ bytesMax: Number.POSITIVE_INFINITY, passed: () => undefined }),
  released: async () => undefined,
}
