/** Figures of a run, for whoever asks for them with LANDBRIDGE_FIGURES=1. */
export function showFigures(what: string, figures: object): void {
  if (!process.env.LANDBRIDGE_FIGURES) return
  console.info(`${what}: ${JSON.stringify(figures)}`)
}

/** Some of the values in order, rounded: the least, p50, p90, p99, the greatest. */
export function spreadOf(values: readonly number[]): readonly number[] {
  const sorted = values.toSorted((a, b) => a - b)
  return [0, 0.5, 0.9, 0.99, 1].map((at) => {
    return Math.round(sorted[Math.floor(at * (sorted.length - 1))] ?? Number.NaN)
  })
}
