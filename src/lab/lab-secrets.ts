import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Secret } from '../base/secret.ts'
import { writeSecretFile } from '../keys/key-file.ts'
import type { LabPaths } from './lab-paths.ts'
import type { LoginRecord } from './lab-state.ts'

/** Every login of a lab, with the host its account lives on. */
export const LOGINS = {
  /** The gateway's account at the source: dump and look, nothing else. */
  source: 'landbridge',
  /** The gateway's account at the replica: look, and attach. */
  replica: 'landbridge',
  /** What the replica logs in to the relay with; also an account at the source itself. */
  relay: 'replica',
} as const
export type LoginName = keyof typeof LOGINS

export async function createSecrets(
  paths: LabPaths,
): Promise<Readonly<Record<LoginName, LoginRecord>>> {
  const create = async (name: LoginName): Promise<LoginRecord> => {
    const passwordFile = join(paths.dataDirectory, 'secrets', `${name}.password`)
    await writeSecretFile(passwordFile, new Secret(randomBytes(18).toString('base64url')))
    return { user: LOGINS[name], passwordFile }
  }
  return {
    source: await create('source'),
    replica: await create('replica'),
    relay: await create('relay'),
  }
}

export function readPassword(login: LoginRecord): string {
  return readFileSync(login.passwordFile, 'utf8').trim()
}
