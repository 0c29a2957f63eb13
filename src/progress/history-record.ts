import { crc32 } from 'node:zlib'

/** Of one second, or of one minute; null: not known. */
export interface HistoryValues {
  /** Age of the proof: what a loss of the origin would have cost at most. The worst of the span. */
  readonly exposureMs: number | null
  /** The worst. */
  readonly receiveLagMs: number | null
  /** Of the replica that is furthest behind; the worst. */
  readonly applyLagMs: number | null
  /** Mean, as are the following. */
  readonly transactionsPerSecond: number | null
  readonly bytesPerSecond: number | null
  readonly roundTripMs: number | null
  /** The limit; 0: paused, null: none. */
  readonly throttleBytesPerSecond: number | null
  readonly waitingBytes: number | null
}

export const WORST_OF = ['exposureMs', 'receiveLagMs', 'applyLagMs'] as const
export const MEAN_OF = [
  ...(['transactionsPerSecond', 'bytesPerSecond', 'roundTripMs'] as const),
  ...(['throttleBytesPerSecond', 'waitingBytes'] as const),
] as const
const FIELDS = [...WORST_OF, ...MEAN_OF] as const

export interface HistoryRecord {
  /** Number of the second, or the minute, since 1970. */
  readonly slot: number
  /** Seconds that it stands for. */
  readonly count: number
  readonly values: HistoryValues
}

/** Slot u32, count u32, a float32 for each value (NaN: not known), CRC32; big endian. */
export const RECORD_BYTES = 4 + 4 + 4 * FIELDS.length + 4
const VALUES_AT = 8
const SUM_AT = RECORD_BYTES - 4

export function encodeRecord({ slot, count, values }: HistoryRecord): Buffer {
  const bytes = Buffer.alloc(RECORD_BYTES)
  bytes.writeUInt32BE(slot, 0)
  bytes.writeUInt32BE(count, 4)
  for (const [index, field] of FIELDS.entries()) {
    bytes.writeFloatBE(values[field] ?? Number.NaN, VALUES_AT + 4 * index)
  }
  bytes.writeUInt32BE(crc32(bytes.subarray(0, SUM_AT)), SUM_AT)
  return bytes
}

/** Null: nothing was ever written there, or not all of it. `bytes` may be longer. */
export function decodeRecord(bytes: Buffer, at = 0): HistoryRecord | null {
  if (bytes.length - at < RECORD_BYTES) return null
  const sum = bytes.readUInt32BE(at + SUM_AT)
  if (crc32(bytes.subarray(at, at + SUM_AT)) !== sum) return null
  const values: Partial<Record<keyof HistoryValues, number | null>> = {}
  let valueAt = at + VALUES_AT
  for (const field of FIELDS) {
    const value = bytes.readFloatBE(valueAt)
    values[field] = Number.isNaN(value) ? null : value
    valueAt += 4
  }
  return {
    slot: bytes.readUInt32BE(at),
    count: bytes.readUInt32BE(at + 4),
    values: values as HistoryValues,
  }
}

/** One record for several: the worst of the lags, the mean of the rest, by the seconds of each. */
export function mergeRecords(slot: number, records: readonly HistoryRecord[]): HistoryRecord {
  const count = records.reduce((sum, record) => sum + record.count, 0)
  const worst = WORST_OF.map((field) => {
    const known = records.flatMap(({ values }) => values[field] ?? [])
    return [field, known.length === 0 ? null : known.reduce((a, b) => Math.max(a, b))]
  })
  const mean = MEAN_OF.map((field) => {
    const known = records.filter(({ values }) => values[field] !== null)
    const seconds = known.reduce((sum, record) => sum + record.count, 0)
    const total = known.reduce((sum, one) => sum + (one.values[field] ?? 0) * one.count, 0)
    return [field, seconds === 0 ? null : total / seconds]
  })
  const values = Object.fromEntries([...worst, ...mean]) as unknown as HistoryValues
  return { slot, count, values }
}
