/**
 * The same value with every number cut to three decimals: a clock counts in fractions of
 * nanoseconds, and nothing that is told in milliseconds is known better than to a microsecond.
 */
export function roundNumbers<Value>(value: Value): Value {
  return rounded(value) as Value
}

function rounded(value: unknown): unknown {
  if (typeof value === 'number') return Math.round(value * 1000) / 1000
  if (Array.isArray(value)) return value.map(rounded)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, rounded(part)]))
}
