import { LandbridgeError } from '../base/errors.ts'

/** What Linux file systems take, the number included. */
const NAME_BYTES_MAX = 255
const SHOWN_CHARACTERS_MAX = 300

/**
 * Whether a name of a server's binlog file can be one here: a plain part of a path that ends in a
 * number. Servers take any base name: spaces, signs, a leading dash, all of UTF-8. The character
 * that stands for bytes that are no UTF-8 names no file.
 */
export function isBinlogName(name: string): boolean {
  return Buffer.byteLength(name) <= NAME_BYTES_MAX && /^[^/\0\uFFFD]*\.[0-9]{1,10}$/su.test(name)
}

/** A name that cannot be stored; `cause` where the file system said so. */
export function unusableName(name: string, cause?: unknown): LandbridgeError {
  const bytes = Buffer.byteLength(name)
  const shown = name.length <= SHOWN_CHARACTERS_MAX ? name : `${name.slice(0, 300)}…`
  return new LandbridgeError(
    'ERR_BINLOG_NAME',
    `a binlog file of the source has a name of ${bytes} bytes that cannot be stored: ${shown}`,
    {
      cause,
      details: { name: shown },
      remedy:
        'Give the source another `log_bin`, in UTF-8, without line breaks, of at most 248 bytes ' +
        'or what the file system of the spool takes, and restart it and the gateway of the copy.',
    },
  )
}

/** The part before the number, which a server's files have in common. */
export function baseOf(name: string): string {
  return name.slice(0, name.lastIndexOf('.'))
}

export function numberOf(name: string): number {
  return Number(name.slice(name.lastIndexOf('.') + 1))
}

/**
 * Order of two binlog files of one lineage: negative when `a` is older. Compares the number, not
 * the text: after `binlog.999999` comes `binlog.1000000`. Null when the base names differ, for then
 * they are not of one lineage.
 */
export function compareBinlogNames(a: string, b: string): number | null {
  return baseOf(a) === baseOf(b) ? numberOf(a) - numberOf(b) : null
}
