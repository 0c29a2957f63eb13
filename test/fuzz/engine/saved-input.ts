import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { crc32 } from 'node:zlib'

/** Inputs that were found to break something once: tried first in every run. */
export const FOUND_FOLDER = fileURLToPath(new URL('../found/', import.meta.url))

const LINE_BYTES = 48

/** Inputs are kept as text, so that a change of one can be read. */
export function toHexText(input: Buffer): string {
  const lines: string[] = []
  for (let at = 0; at < input.length; at += LINE_BYTES) {
    lines.push(input.toString('hex', at, at + LINE_BYTES))
  }
  return `${lines.join('\n')}\n`
}

export function readInput(path: string): Buffer {
  return Buffer.from(readFileSync(path, 'utf8').replaceAll(/\s/g, ''), 'hex')
}

/** All inputs in a folder; none when there is no such folder. */
export function readInputs(folder: string): Buffer[] {
  if (!existsSync(folder)) return []
  const names = readdirSync(folder).filter((name) => name.endsWith('.hex'))
  return names.sort().map((name) => readInput(join(folder, name)))
}

/** Returns the path. The name follows from the bytes: the same input is kept once. */
export function saveInput(folder: string, input: Buffer): string {
  mkdirSync(folder, { recursive: true })
  const path = join(folder, `${crc32(input).toString(16).padStart(8, '0')}.hex`)
  writeFileSync(path, toHexText(input))
  return path
}
