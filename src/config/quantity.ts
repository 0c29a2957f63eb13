const BYTES_PER_UNIT: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
}

const MS_PER_UNIT: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1e3,
  m: 60e3,
  min: 60e3,
  h: 3_600e3,
  d: 86_400e3,
  w: 604_800e3,
}

function scaled(text: string, factors: Readonly<Record<string, number>>): number | null {
  const match = /^(\d{1,15}(?:\.\d{1,6})?)\s*([a-z]{0,3})$/i.exec(text.trim())
  if (match === null) return null
  const unit = (match[2] ?? '').toLowerCase()
  const factor = Object.hasOwn(factors, unit) ? factors[unit] : undefined
  if (factor === undefined) return null
  const value = Math.round(Number(match[1]) * factor)
  return Number.isSafeInteger(value) ? value : null
}

/** `16MiB`, `50MB`, `4096` or a whole number. Null when it is none of these. */
export function parseBytes(value: unknown): number | null {
  if (typeof value === 'number') return Number.isSafeInteger(value) && value >= 0 ? value : null
  return typeof value === 'string' ? scaled(value, BYTES_PER_UNIT) : null
}

/** `7d`, `12h`, `30s`, `250ms`. A number without a unit is refused: nobody agrees what it means. */
export function parseDurationMs(value: unknown): number | null {
  return typeof value === 'string' ? scaled(value, MS_PER_UNIT) : null
}
