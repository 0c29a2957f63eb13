import { open, stat } from 'node:fs/promises'

/** Turns one byte in the middle of a file into another: what a comparison has to notice. */
export async function flipByte(path: string): Promise<number> {
  const offset = Math.floor((await stat(path)).size / 2)
  const file = await open(path, 'r+')
  try {
    const byte = Buffer.alloc(1)
    await file.read(byte, 0, 1, offset)
    byte.writeUInt8(byte.readUInt8() ^ 0x01)
    await file.write(byte, 0, 1, offset)
  } finally {
    await file.close()
  }
  return offset
}
