export interface SpoolEnd {
  readonly ordinal: number
  readonly offset: number
}

export function isPast(end: SpoolEnd | null, position: SpoolEnd): boolean {
  if (end === null) return false
  if (end.ordinal !== position.ordinal) return end.ordinal > position.ordinal
  return end.offset > position.offset
}
