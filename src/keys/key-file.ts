import { mkdir, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { replaceFile, syncDirectory } from '../base/atomic-file.ts'
import { codeOf } from '../base/errors.ts'
import type { Secret } from '../base/secret.ts'

const SECRET_MODE = 0o600
/** For what the gateway's own user reads though root wrote it. */
export const PUBLIC_MODE = 0o644

/**
 * Writes a secret that only its owner may read. An existing file is kept, and false returned: a
 * key that is lost by accident takes the gateway pair down. Only `replace` says otherwise.
 */
export async function writeSecretFile(
  path: string,
  content: Secret,
  options: { readonly replace?: boolean } = {},
): Promise<boolean> {
  // Only the folder itself is closed: certs/ca.crt, above certs/NAME, is for other users too.
  await mkdir(dirname(dirname(path)), { recursive: true })
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const text = `${content.reveal().trimEnd()}\n`
  if (options.replace === true) {
    await replaceFile(path, text, { mode: SECRET_MODE })
    return true
  }
  return createFile(path, text, SECRET_MODE)
}

/** Creates a file that anybody may read; keeps an existing one and returns false. */
export async function writePublicFile(path: string, content: string): Promise<boolean> {
  await mkdir(dirname(path), { recursive: true })
  return createFile(path, content, PUBLIC_MODE)
}

async function createFile(path: string, text: string, mode: number): Promise<boolean> {
  try {
    const file = await open(path, 'wx', mode)
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  }
  await syncDirectory(dirname(path))
  return true
}
