/** The first byte of an input chooses how the rest is used. */
export interface FlaggedInput {
  readonly flags: number
  readonly bytes: Buffer
}

export function takeFlags(input: Buffer): FlaggedInput {
  return { flags: input[0] ?? 0, bytes: input.subarray(1) }
}

export function withFlags(flags: number, bytes: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([flags]), bytes])
}

/** Every seed with each of the flags. */
export function flagged(flags: readonly number[], seeds: readonly Uint8Array[]): Buffer[] {
  return seeds.flatMap((seed) => flags.map((flag) => withFlags(flag, seed)))
}
