/** One command of a page of instructions, or one line of what a command prints. */
export interface PageLine {
  /** Where it stands, as `README.md:64`. */
  readonly place: string
  readonly text: string
}

const INDENT = '    '

/**
 * The lines of a page's blocks of code, in order: those indented by four spaces behind an empty
 * line, and fenced ones. A line that ends in a backslash is one with the next.
 */
export function pageLines(page: string, markdown: string): PageLine[] {
  const found: PageLine[] = []
  let isBlock = false
  let isFenced = false
  let before = ''
  let open: PageLine | null = null
  for (const [index, line] of markdown.split('\n').entries()) {
    if (/^```/.test(line)) isFenced = !isFenced
    else if (isFenced || (line.startsWith(INDENT) && (isBlock || before === ''))) {
      isBlock = true
      const text = isFenced ? line : line.slice(INDENT.length)
      const start: PageLine = open ?? { place: `${page}:${index + 1}`, text: '' }
      const whole: PageLine = { place: start.place, text: `${start.text}${text}` }
      open = text.endsWith('\\') ? { ...whole, text: whole.text.slice(0, -1) } : null
      if (open === null && whole.text.trim() !== '') found.push(whole)
    } else if (line !== '') isBlock = false
    before = line
  }
  return found
}

/** The command itself: without a remark behind `#` or behind a wide gap. */
export function commandOf({ text }: PageLine): string {
  return text
    .replace(/\s+# .*$/, '')
    .replace(/(\S) {3,}[A-Za-z].*$/, '$1')
    .trim()
}
