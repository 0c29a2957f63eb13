import { wrapLine } from './wrap-line.ts'

// biome-ignore lint/suspicious/noControlCharactersInRegex: the escape sequences of colours
const ESCAPE_OR_CHARACTER = /\u001b\[[\d;]*m|./gu

interface ScreenSize {
  /** 0 where the terminal does not say. */
  readonly rows: number
  readonly columns: number
}

/**
 * From the top, each line to its end, the rest cleared: no flicker. Broken and cut to what the
 * screen holds, because a line that the terminal wraps or scrolls would shift all others. Where
 * lines are missing the last one says how many.
 */
export function repaint(text: string, { rows, columns }: ScreenSize): string {
  const whole = text.trimEnd().split('\n')
  const lines = columns > 0 ? whole.flatMap((line) => wrapLine(line, columns)) : whole
  const shown = rows > 0 ? fitting(lines, rows - 1) : lines
  const cut = shown.map((line) => `${columns > 0 ? cutLine(line, columns) : line}\u001b[K\n`)
  return `\u001b[H${cut.join('')}\u001b[J`
}

function fitting(lines: readonly string[], rows: number): readonly string[] {
  if (lines.length <= rows) return lines
  const shown = lines.slice(0, Math.max(0, rows - 1))
  return [...shown, `... and ${lines.length - shown.length} more lines: make the window higher`]
}

/** Escape sequences take no column. */
function cutLine(line: string, columns: number): string {
  let left = columns
  return line.replaceAll(ESCAPE_OR_CHARACTER, (part) => {
    if (part.startsWith('\u001b')) return part
    left -= 1
    return left >= 0 ? part : ''
  })
}
