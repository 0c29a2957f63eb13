/** One reader of foreign bytes, as the fuzzer calls it. */
export interface FuzzTarget {
  readonly inputBytesMax: number
  /** Good inputs to begin with: from encoders and recorded from servers. */
  readonly seeds: readonly Buffer[]
  /** What inputs are made of, besides the texts and numbers in the code itself. */
  readonly tokens?: readonly string[]
  /**
   * Settles when the contract holds for `input`. What it throws is a finding, unless it is an
   * error with a documented code.
   */
  run(input: Buffer): void | Promise<void>
  close?(): Promise<void>
}

/** What a module of a target exports. */
export interface TargetModule {
  readonly createTarget: () => Promise<FuzzTarget>
}
