/** Colours of a terminal, or none. */
export interface Paint {
  head(text: string): string
  good(text: string): string
  bad(text: string): string
  warn(text: string): string
  dim(text: string): string
}

const STYLES = { head: '1', good: '32', bad: '1;31', warn: '33', dim: '90', none: '0' } as const
const PAINT = new RegExp(`(\u001b\\[(?:${Object.values(STYLES).join('|')})m)`)

export function createPaint(color: boolean): Paint {
  const style = (code: string) => (text: string) =>
    color ? `\u001b[${code}m${text}\u001b[${STYLES.none}m` : text
  return {
    head: style(STYLES.head),
    good: style(STYLES.good),
    bad: style(STYLES.bad),
    warn: style(STYLES.warn),
    dim: style(STYLES.dim),
  }
}

/** Text and the marks of our colours by turns, text first. */
export function splitPaint(text: string): string[] {
  return text.split(PAINT)
}
