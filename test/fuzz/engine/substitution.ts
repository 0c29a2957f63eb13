import type { Comparison } from './recorder.ts'

const PLACES_MAX = 3
const CANDIDATES_MAX = 256
const U64 = 2n ** 64n

/**
 * Inputs in which one side of a comparison was put where the other side stands: what a check of a
 * magic number, a length or a name asks for, without guessing it.
 */
export function substitutions(input: Buffer, comparisons: readonly Comparison[]): Buffer[] {
  const found: Buffer[] = []
  for (const [left, right] of comparisons) {
    for (const [from, to] of [...forms(left, right), ...forms(right, left)]) {
      let at = input.indexOf(from)
      for (let places = 0; at >= 0 && places < PLACES_MAX; places += 1) {
        if (found.length >= CANDIDATES_MAX) return found
        found.push(Buffer.concat([input.subarray(0, at), to, input.subarray(at + from.length)]))
        at = input.indexOf(from, at + 1)
      }
    }
  }
  return found
}

type Scalar = Comparison[0]
type Form = readonly [from: Buffer, to: Buffer]

/** How both may be written in an input: as text, or as numbers of one width and byte order. */
function forms(from: Scalar, to: Scalar): Form[] {
  const texts: Form[] = [[Buffer.from(String(from)), Buffer.from(String(to))]]
  if (typeof from === 'string' || typeof to === 'string') return from === '' ? [] : texts
  const [low, high] = [BigInt(from), BigInt(to)]
  const widths = [1, 2, 4, 8].filter((width) => fits(low, width) && fits(high, width))
  const numbers = widths.flatMap((width): Form[] => {
    const [a, b] = [toBytes(low, width), toBytes(high, width)]
    const reversed: Form = [Buffer.from(a).reverse(), Buffer.from(b).reverse()]
    return width === 1 ? [[a, b]] : [[a, b], reversed]
  })
  return [...texts, ...numbers]
}

function fits(value: bigint, width: number): boolean {
  const end = 2n ** BigInt(8 * width)
  return value >= -end / 2n && value < end
}

function toBytes(value: bigint, width: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE((value + U64) % U64)
  return bytes.subarray(0, width)
}
