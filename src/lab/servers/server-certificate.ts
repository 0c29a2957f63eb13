import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { ServerTlsFiles } from './server-options.ts'

const run = promisify(execFile)

const SUBJECT = '/CN=landbridge test server'

/**
 * A certificate that is its own authority, with the address as its name, so that clients can
 * verify it. Kept when it is there already: a restarted server must look the same.
 */
export async function ensureServerCertificate(
  directory: string,
  address: string,
): Promise<ServerTlsFiles> {
  const files = {
    authority: join(directory, 'server.crt'),
    certificate: join(directory, 'server.crt'),
    privateKey: join(directory, 'server.key'),
  }
  if (existsSync(files.certificate) && existsSync(files.privateKey)) return files
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const names = `subjectAltName=DNS:localhost,IP:127.0.0.1,IP:${ipAddress(address)}`
  await run('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
    ...['-days', '3650', '-subj', SUBJECT, '-addext', names],
    ...['-keyout', files.privateKey, '-out', files.certificate],
  ])
  return files
}

/** "All addresses" is nobody's name. */
function ipAddress(bindAddress: string): string {
  return bindAddress === '0.0.0.0' || bindAddress === '*' ? '127.0.0.1' : bindAddress
}
