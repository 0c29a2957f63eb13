import { randomBytes } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import { certificateFingerprint } from '../../../src/base/fingerprint.ts'
import { Secret } from '../../../src/base/secret.ts'
import {
  type CertificateAndKey,
  createAuthority,
  issueGatewayCertificate,
} from '../../../src/keys/certificates.ts'
import { signEd25519 } from '../../../src/mysql/client-auth.ts'
import { presentedCertificate } from '../../../src/mysql/presented-certificate.ts'
import { type SqlAddress, sqlConnect } from '../../../src/mysql/sql-connect.ts'
import type { SqlTls } from '../../../src/mysql/sql-tls.ts'
import { StrangeDatabase } from '../../helpers/source/strange-database.ts'

const PASSWORD = 'the only secret here'
const never = new AbortController().signal
const SHA2 = 'caching_sha2_password'

let authority: CertificateAndKey
let ours: CertificateAndKey
/** The name is right, and nobody trusts who signed it. */
let theirs: CertificateAndKey
/** By the right authority, for another address. */
let elsewhere: CertificateAndKey

beforeAll(async () => {
  const nowMs = Date.now()
  const wanted = { name: 'db', tunnelAddress: '127.0.0.1', nowMs }
  authority = await createAuthority('ours', nowMs)
  ours = await issueGatewayCertificate({ ...wanted, authority })
  elsewhere = await issueGatewayCertificate({ ...wanted, tunnelAddress: '127.0.0.2', authority })
  const other = await createAuthority('theirs', nowMs)
  theirs = await issueGatewayCertificate({ ...wanted, authority: other })
})

const certified = ({ certificatePem, privateKeyPem }: CertificateAndKey) => ({
  certificate: certificatePem,
  key: privateKeyPem.reveal(),
})

function addressOf(strange: { readonly port: number }, tls: Partial<SqlTls>): SqlAddress {
  const caPem = authority.certificatePem
  return {
    ...{ host: '127.0.0.1', port: strange.port, user: 'reader' },
    password: new Secret(PASSWORD),
    tls: { mode: 'verify-identity', caPem, ...tls },
  }
}

const connect = (address: SqlAddress) => sqlConnect(address, { connectTimeout: 10_000 }, never)

const pinned = (certificate: CertificateAndKey): Partial<SqlTls> => ({
  mode: 'pinned',
  caPem: null,
  fingerprint: certificateFingerprint(certificate.certificatePem),
})

describe('somebody in between who takes TLS out of the greeting', () => {
  test.each<Partial<SqlTls>>([
    { mode: 'verify-identity' },
    { mode: 'verify-ca' },
    { mode: 'pinned', fingerprint: `sha256:${'0'.repeat(64)}` },
    { mode: 'unverified', caPem: null },
  ])('is told nothing with mode $mode', async (tls) => {
    await using strange = await StrangeDatabase.create({ tls: null, plugin: SHA2 })
    await expect(connect(addressOf(strange, tls))).rejects.toMatchObject({
      code: 'ERR_SQL_TLS',
      retryable: false,
      message: expect.stringContaining('offers no TLS'),
      remedy: expect.stringContaining('ssl_cert'),
    })
    expect(strange.heard).toEqual([])
  })

  test('gets the password with mode off, which is for this machine alone', async () => {
    await using strange = await StrangeDatabase.create({ tls: null, plugin: SHA2 })
    const address = addressOf(strange, { mode: 'off', caPem: null })
    const stop = new AbortController()
    const connecting = sqlConnect(address, {}, stop.signal).catch(() => null)
    await expect.poll(() => strange.passwords).toEqual([PASSWORD])
    stop.abort()
    await connecting
  })

  test('mode off does not even dial another machine, unless it is said', async () => {
    let dialled = 0
    const stream = () => {
      dialled += 1
      throw new Error('dialled')
    }
    const far = { ...addressOf({ port: 3306 }, { mode: 'off', caPem: null }), host: 'db.invalid' }
    await expect(sqlConnect(far, { stream }, never)).rejects.toMatchObject({ code: 'ERR_SQL_TLS' })
    expect(dialled).toBe(0)
    const said = { ...far, tls: { ...far.tls, allowPasswordWithoutTls: true } }
    await expect(sqlConnect(said, { stream }, never)).rejects.toThrow('dialled')
  })
})

describe('somebody in between with a certificate of his own', () => {
  const strange = () => StrangeDatabase.create({ tls: certified(theirs), plugin: SHA2 })

  test.each(['verify-identity', 'verify-ca', 'pinned'] as const)(
    'is told nothing with mode %s',
    async (mode) => {
      await using server = await strange()
      const tls = mode === 'pinned' ? pinned(ours) : { mode }
      await expect(connect(addressOf(server, tls))).rejects.toMatchObject({
        code: 'ERR_SQL_TLS',
        retryable: false,
        message: expect.stringContaining('does not prove who it is'),
        remedy: expect.stringContaining('landbridge check'),
      })
      expect(server.heard).toEqual([])
    },
  )

  test.each([
    ['pinned', SHA2, 'all'],
    ['pinned', 'sha256_password', 'all'],
    ['pinned', 'mysql_native_password', 'all'],
    ['verify-identity', 'sha256_password', 'all'],
    ['verify-ca', 'sha256_password', 'all'],
    ['pinned', 'sha256_password', 'part'],
  ] as const)(
    'is told nothing with mode %s where he asks by %s before TLS, %s of it',
    async (mode, plugin, early) => {
      await using server = await StrangeDatabase.create({
        // Signed by the right authority for another name: only the judge can tell.
        tls: certified(mode === 'verify-identity' ? elsewhere : theirs),
        plugin,
        early,
      })
      const tls = mode === 'pinned' ? pinned(ours) : { mode }
      await expect(connect(addressOf(server, tls))).rejects.toMatchObject({
        code: 'ERR_SQL_TLS',
        message: expect.stringContaining('more than its greeting'),
      })
      expect([server.heard, server.passwords]).toEqual([[], []])
    },
  )

  test('its certificate can be looked at without a login', async () => {
    await using server = await strange()
    expect(await presentedCertificate({ host: '127.0.0.1', port: server.port }, never)).toEqual({
      fingerprint: certificateFingerprint(theirs.certificatePem),
      subject: 'CN=db',
      issuer: 'CN=theirs',
      validTo: expect.stringContaining('GMT'),
    })
    expect(server.heard).toEqual([])
  })
})

describe('a certificate of the right authority', () => {
  test.each([
    ['of another address is refused by verify-identity', 'verify-identity', false],
    ['of another address is enough for verify-ca', 'verify-ca', true],
  ] as const)('%s', async (_title, mode, isBelieved) => {
    const wanted = { name: 'db', tunnelAddress: '127.0.0.2', nowMs: Date.now() }
    const other = await issueGatewayCertificate({ ...wanted, authority })
    await using strange = await StrangeDatabase.create({ tls: certified(other), plugin: SHA2 })
    const stop = new AbortController()
    const address = addressOf(strange, { mode })
    const connecting = sqlConnect(address, {}, stop.signal)
    if (isBelieved) await expect.poll(() => strange.passwords).toEqual([PASSWORD])
    else await expect(connecting).rejects.toMatchObject({ code: 'ERR_SQL_TLS' })
    stop.abort()
    await connecting.catch(() => null)
    expect(strange.heard.length > 0).toBe(isBelieved)
  })

  test('and the pinned key are believed', async () => {
    for (const tls of [{}, pinned(ours)]) {
      await using strange = await StrangeDatabase.create({ tls: certified(ours), plugin: SHA2 })
      const stop = new AbortController()
      const connecting = sqlConnect(addressOf(strange, tls), {}, stop.signal)
      connecting.catch(() => null)
      await expect.poll(() => strange.passwords).toEqual([PASSWORD])
      stop.abort()
    }
  })
})

describe('methods to prove who we are', () => {
  test.each(['parsec', 'mysql_clear_password', 'dialog', 'client_ed25519'])(
    '%s is refused by name, and the password stays here',
    async (plugin) => {
      await using strange = await StrangeDatabase.create({ tls: certified(ours), plugin })
      await expect(connect(addressOf(strange, {}))).rejects.toMatchObject({
        code: 'ERR_SQL_AUTHENTICATION',
        retryable: false,
        message: expect.stringContaining(plugin),
        remedy: expect.stringContaining(plugin === 'client_ed25519' ? '32 bytes' : 'ed25519'),
      })
      expect(strange.passwords).toEqual([])
    },
  )

  test('ed25519 is signed with a password of 32 bytes and no other', () => {
    expect(signEd25519('p'.repeat(32), randomBytes(32))).toHaveLength(64)
    for (const length of [0, 31, 33])
      expect(signEd25519('p'.repeat(length), randomBytes(32))).toBeNull()
  })
})
