/**
 * Scenarios that could go on for ever take a part of all cases in an ordinary run.
 * LANDBRIDGE_SCENARIOS_FULL=1 takes all of them; LANDBRIDGE_SCENARIOS_SEED=n takes another part and
 * other chances.
 */
export const IS_FULL = process.env.LANDBRIDGE_SCENARIOS_FULL === '1'
export const SEED = Number(process.env.LANDBRIDGE_SCENARIOS_SEED ?? 1)

/** Every `stride`-th of `cases`, beginning where the seed says; all of them in a full run. */
export function partOf<T>(cases: readonly T[], stride: number): readonly T[] {
  if (IS_FULL) return cases
  return cases.filter((_, index) => index % stride === SEED % stride)
}
