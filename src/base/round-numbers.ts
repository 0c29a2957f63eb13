/** Times, ages and sizes: nobody needs a fraction of a millisecond, or of a byte, of them. */
const WHOLE =
  /(?:Ago|Age|Since|since|At|now|covered|catchUp|Until|until)Ms$|[bB]ytes(?:PerSecond)?$/

/**
 * The same value with times, ages and sizes as integers, and every other number cut to three
 * decimals: a clock counts in fractions of nanoseconds, and no delay is known better than to a
 * microsecond.
 */
export function roundNumbers<Value>(value: Value): Value {
  return rounded(value, '') as Value
}

function rounded(value: unknown, name: string): unknown {
  if (typeof value === 'number') {
    return WHOLE.test(name) ? Math.round(value) : Math.round(value * 1000) / 1000
  }
  if (Array.isArray(value)) return value.map((part) => rounded(part, name))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, rounded(part, key)]))
}
