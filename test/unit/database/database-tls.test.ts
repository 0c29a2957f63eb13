import { chmod, writeFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { isLandbridgeError } from '../../../src/base/errors.ts'
import type { DatabaseTlsConfig } from '../../../src/database/database-tls.ts'
import { loadConfig } from '../../../src/gateway/config/load-config.ts'
import { PairFolder } from '../../helpers/pair/pair-folder.ts'

const CONFIG = 'gateway/ec2.yaml'
const PIN = `sha256:${'ab'.repeat(32)}`

/** What the `tls` section of the database means, or the problems with it. */
async function loaded(
  pair: PairFolder,
  tls: string | null,
  host = '198.51.100.10',
): Promise<DatabaseTlsConfig | string[] | undefined> {
  await pair.edit(
    CONFIG,
    ['tls: { mode: verify-identity }', tls === null ? '' : `tls: ${tls}`],
    ['host: 198.51.100.10', `host: ${host}`],
  )
  try {
    return (await loadConfig(pair.at(CONFIG))).streams[0]?.database?.tls
  } catch (error) {
    if (!isLandbridgeError(error)) throw error
    const problems = error.details.problems as { path: string; message: string }[]
    return problems.map(({ path, message }) => `${path}: ${message}`)
  }
}

test.each<[string | null, Partial<DatabaseTlsConfig>]>([
  [null, { mode: 'verify-identity', caPem: null, allowPasswordWithoutTls: false }],
  ['{ ca: ../certs/ca.crt }', { mode: 'verify-identity', caPem: expect.any(String) as never }],
  [`{ fingerprint: "${PIN}" }`, { mode: 'pinned', fingerprint: PIN }],
  ['{ mode: off, allowPasswordWithoutTls: true }', { mode: 'off', allowPasswordWithoutTls: true }],
])('%s is believed as it says', async (tls, meant) => {
  await using pair = await PairFolder.create()
  expect(await loaded(pair, tls)).toMatchObject(meant)
})

test('off needs nothing more on this machine', async () => {
  await using pair = await PairFolder.create()
  expect(await loaded(pair, '{ mode: off }', '127.0.0.1')).toMatchObject({ mode: 'off' })
})

test.each<[tls: string, problem: RegExp]>([
  [
    '{ mode: preferred }',
    /^streams\[0\]\.database\.tls\.mode: "preferred" must be one of: verify-id/,
  ],
  ['{ mode: off }', /tls\.mode: off would send the password to 198\.51\.100\.10 without TLS/],
  ['{ mode: pinned }', /tls\.fingerprint: is missing/],
  [
    `{ mode: verify-ca, fingerprint: "${PIN}" }`,
    /tls\.fingerprint: has no effect with mode verify/,
  ],
  ['{ fingerprint: "sha256:00" }', /tls\.fingerprint: .*must be sha256: and 64 hex digits/],
  ['{ mode: unverified, ca: ../certs/ca.crt }', /tls\.ca: has no effect with mode unverified/],
  ['{ ca: ../certs/ec2/gateway.key }', /tls\.ca: .* is not a PEM file with a CERTIFICATE/],
  [
    '{ allowPasswordWithoutTls: true }',
    /tls\.allowPasswordWithoutTls: has no effect with mode ver/,
  ],
  ['{ certificate: ../certs/ec2/gateway.crt }', /tls\.privateKey: is missing; certificate and/],
  [
    '{ certificate: ../certs/ca.crt, privateKey: ../certs/ec2/gateway.key }',
    /tls\.privateKey: is not the key of this certificate/,
  ],
])('%s is a problem', async (tls, problem) => {
  await using pair = await PairFolder.create()
  expect(await loaded(pair, tls)).toEqual([expect.stringMatching(problem)])
})

test('a client’s certificate is read with its key, which is a secret', async () => {
  await using pair = await PairFolder.create()
  const section = '{ certificate: ../certs/ec2/gateway.crt, privateKey: ../certs/client.key }'
  const { privateKeyPem, certificatePem } = (await loadConfig(pair.at(CONFIG))).identity
  await writeFile(pair.at('certs/client.key'), privateKeyPem.reveal(), { mode: 0o600 })
  const tls = await loaded(pair, section)
  expect(tls).toMatchObject({ client: { certificatePem } })
  expect(JSON.stringify(tls)).toContain('"privateKeyPem":"[secret]"')
  await chmod(pair.at('certs/client.key'), 0o644)
  await expect(loadConfig(pair.at(CONFIG))).rejects.toMatchObject({
    message: expect.stringContaining('client.key is open to every user'),
  })
})
