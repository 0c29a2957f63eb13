const UNITS = [
  { name: 'day', ms: 86_400_000 },
  { name: 'hour', ms: 3_600_000 },
  { name: 'minute', ms: 60_000 },
  { name: 'second', ms: 1_000 },
] as const

const BYTE_UNITS = ['KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const

/** `1 minute, 32 seconds`: the two largest units. Under ten seconds with a fraction. */
export function durationText(ms: number | null): string {
  if (ms === null) return '-'
  if (ms < 1) return '0 s'
  if (ms < 1_000) return `${Math.round(ms)} ms`
  if (ms < 10_000) return `${(ms / 1000).toFixed(1)} s`
  const index = UNITS.findIndex((unit) => ms >= unit.ms)
  const [large, small] = [UNITS[index], UNITS[index + 1]]
  if (large === undefined) return '-'
  const count = Math.floor(ms / large.ms)
  const rest = small === undefined ? 0 : Math.floor((ms % large.ms) / small.ms)
  const text = plural(count, large.name)
  return rest === 0 || small === undefined ? text : `${text}, ${plural(rest, small.name)}`
}

export function agoText(ms: number | null): string {
  return ms === null ? '-' : `${durationText(ms)} ago`
}

/** `512 B`, `1.21 GiB`. */
export function bytesText(bytes: number | null): string {
  if (bytes === null) return '-'
  if (bytes < 1024) return `${bytes} B`
  let value = bytes / 1024
  let unit = 0
  // Rounded first: 1023.999 KiB is 1.00 MiB.
  while (Number(value.toFixed(2)) >= 1024 && unit < BYTE_UNITS.length - 1) {
    value /= 1024
    unit += 1
  }
  return `${value.toFixed(2)} ${BYTE_UNITS[unit]}`
}

/** `1 transaction`, `120,000 transactions`. */
export function plural(count: number | null, noun: string): string {
  if (count === null) return '-'
  return `${count.toLocaleString('en-US')} ${noun}${count === 1 ? '' : 's'}`
}
