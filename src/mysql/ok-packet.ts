import { ByteWriter } from '../base/cursor.ts'

export const ServerStatus = { Autocommit: 0x0002 } as const

/** What a server answers with when it refuses; also what it prints to people. */
export interface ServerError {
  readonly number: number
  readonly sqlState: string
  readonly message: string
}

/** The server cuts longer messages itself. */
const MESSAGE_BYTES_MAX = 512

export function encodeOk(header: 0x00 | 0xfe = 0x00): Buffer {
  const writer = new ByteWriter(16).u8(header).lenencInteger(0).lenencInteger(0)
  return writer.u16(ServerStatus.Autocommit).u16(0).take()
}

export function encodeEof(): Buffer {
  return new ByteWriter(16).u8(0xfe).u16(0).u16(ServerStatus.Autocommit).take()
}

export function encodeServerError(error: ServerError): Buffer {
  const text = Buffer.from(error.message).subarray(0, MESSAGE_BYTES_MAX)
  const writer = new ByteWriter(64).u8(0xff).u16(error.number).text('#')
  return writer.text(error.sqlState.padEnd(5, '0').slice(0, 5)).bytes(text).take()
}

/** Before a client's capabilities are known an error carries no SQL state. */
export function encodeEarlyServerError(error: ServerError): Buffer {
  const text = Buffer.from(error.message).subarray(0, MESSAGE_BYTES_MAX)
  return new ByteWriter(64).u8(0xff).u16(error.number).bytes(text).take()
}
