// biome-ignore lint/suspicious/noControlCharactersInRegex: the escape sequences of colours
const ESCAPE = /\u001b\[[\d;]*m/g
/** A label and the gap behind it, or else the indentation. */
const HANG = /^ *(?:\S+(?: \S+)* {2,})?/

/**
 * Breaks a line between words so that it fits, what follows below its own beginning. A word that is
 * wider than the rest of the line stays whole. Escape sequences take no column.
 */
export function wrapLine(line: string, columns: number): string[] {
  if (widthOf(line) <= columns) return [line]
  const [hang = ''] = HANG.exec(line.replaceAll(ESCAPE, '')) ?? []
  const indent = ' '.repeat(Math.min(hang.length + 2, Math.floor(columns / 3)))
  const lines: string[] = []
  let current = ''
  for (const word of line.split(/(?<=\S)(?= )/)) {
    if (current.trim() !== '' && widthOf(current) + widthOf(word) > columns) {
      lines.push(current)
      current = indent + word.trimStart()
    } else current += word
  }
  return [...lines, current]
}

function widthOf(text: string): number {
  return text.replaceAll(ESCAPE, '').length
}
