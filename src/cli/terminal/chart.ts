const EIGHTHS = ['', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'] as const

/** Columns of blocks, `rows` high; the greatest value fills all of them. Lines, top first. */
export function blockChart(
  values: readonly (number | null)[],
  { rows, max }: { readonly rows: number; readonly max: number },
): string[] {
  const heights = values.map((value) => {
    if (value === null) return null
    // What is not 0 is seen.
    const eighths = max === 0 ? 0 : Math.ceil((value / max) * rows * 8)
    return Math.min(rows * 8, eighths)
  })
  return Array.from({ length: rows }, (_line, index) => {
    const below = (rows - 1 - index) * 8
    return heights
      .map((height) => {
        if (height === null) return index === rows - 1 ? '·' : ' '
        return EIGHTHS[Math.max(0, Math.min(8, height - below))] || ' '
      })
      .join('')
  })
}
