import { ByteWriter } from '../base/cursor.ts'
import { encodeEof, encodeOk } from './ok-packet.ts'

/** A text result: every value is a string or NULL. */
export interface ResultSet {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly (string | null)[])[]
}

const COLUMN_TYPE_VAR_STRING = 0xfd
const CHARSET_UTF8MB4 = 45
const FIXED_FIELDS_BYTES = 12
const DISPLAY_LENGTH = 1024
const NULL_VALUE = 0xfb

/** Payloads of the packets of a text result set, in order, each made when it is asked for. */
export function* encodeResultSet(
  result: ResultSet,
  options: { readonly deprecateEof: boolean },
): Generator<Buffer> {
  yield new ByteWriter(16).lenencInteger(result.columns.length).take()
  for (const name of result.columns) yield encodeColumn(name)
  if (!options.deprecateEof) yield encodeEof()
  for (const row of result.rows) yield encodeRow(row)
  yield options.deprecateEof ? encodeOk(0xfe) : encodeEof()
}

function encodeColumn(name: string): Buffer {
  const writer = new ByteWriter(64).lenencText('def').lenencText('').lenencText('').lenencText('')
  writer.lenencText(name).lenencText('').lenencInteger(FIXED_FIELDS_BYTES)
  writer.u16(CHARSET_UTF8MB4).u32(DISPLAY_LENGTH).u8(COLUMN_TYPE_VAR_STRING)
  return writer.u16(0).u8(0).zeros(2).take()
}

function encodeRow(row: readonly (string | null)[]): Buffer {
  const writer = new ByteWriter(64)
  for (const value of row) {
    if (value === null) writer.u8(NULL_VALUE)
    else writer.lenencText(value)
  }
  return writer.take()
}
