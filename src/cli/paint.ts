/** Colours of a terminal, or none. */
export interface Paint {
  head(text: string): string
  good(text: string): string
  bad(text: string): string
  warn(text: string): string
  dim(text: string): string
}

export function createPaint(color: boolean): Paint {
  const style = (code: string) => (text: string) =>
    color ? `\u001b[${code}m${text}\u001b[0m` : text
  return {
    head: style('1'),
    good: style('32'),
    bad: style('1;31'),
    warn: style('33'),
    dim: style('90'),
  }
}

/** On a terminal, unless the environment says otherwise (no-color.org). */
export function wantsColor(stream: { readonly isTTY?: boolean }): boolean {
  const { NO_COLOR, TERM } = process.env
  return stream.isTTY === true && !NO_COLOR && TERM !== 'dumb'
}
