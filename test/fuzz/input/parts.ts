/** Several parts in one input: each has its length before it, in two bytes. */
export function joinParts(parts: readonly Uint8Array[]): Buffer {
  return Buffer.concat(
    parts.flatMap((part) => {
      const length = Buffer.alloc(2)
      length.writeUInt16LE(part.length)
      return [length, part]
    }),
  )
}

/** The last part is what is left, when it is announced longer. */
export function splitParts(bytes: Buffer): Buffer[] {
  const parts: Buffer[] = []
  for (let at = 0; at + 2 <= bytes.length; ) {
    const start = at + 2
    at = start + bytes.readUInt16LE(at)
    parts.push(bytes.subarray(start, at))
  }
  return parts
}
