import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'

/** How much binlog a server of the lab has, by its files: asking it would cost it something. */
export async function readBinlogBytes(directory: string): Promise<number | null> {
  try {
    let bytes = 0
    for (const name of await readdir(directory)) {
      if (/\.\d+$/.test(name)) bytes += (await stat(join(directory, name))).size
    }
    return bytes
  } catch {
    // The source is gone or is purging; the next look will tell.
    return null
  }
}
