/** What a peer, a server or a file name may say: it clears, sets the clipboard, forges lines. */
export const HOSTILE =
  'x\u001b]52;c;cm0gLXJmIC8=\u0007\u001b[2J\u001b[32mgreen\u001b[0m\u009b31m\u007f\u0000' +
  '\u202egnp.exe\u2066\u200f\u2028\u2029\ud800\r\nFORGED  yes\nFORGED: yes\rFORGED'

/** The value with every text of it made hostile; texts that a program decides by may be kept. */
export function hostile<T>(value: T, keep: readonly string[] = []): T {
  return changed(value, keep) as T
}

function changed(value: unknown, keep: readonly string[]): unknown {
  if (typeof value === 'string') return HOSTILE
  if (Array.isArray(value)) return value.map((one) => changed(one, keep))
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value)
  return Object.fromEntries(
    entries.map(([name, one]) => [name, keep.includes(name) ? one : changed(one, keep)]),
  )
}

/** What in it could command a terminal, besides line ends. */
export function commandsIn(text: string): string[] {
  return text.match(/[^\P{C}\n]|[\u2028\u2029]/gu) ?? []
}

/** Lines that begin as if they were ours: the margin of what is quoted is at least 4 columns. */
export function forgedIn(text: string): string[] {
  return text.split('\n').filter((line) => /^ {0,3}FORGED/.test(line))
}
