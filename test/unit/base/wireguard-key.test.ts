import { expect, test } from 'vitest'
import { Secret } from '../../../src/base/secret.ts'
import { generateWireguardKeyPair, wireguardPublicKey } from '../../../src/base/wireguard-key.ts'

test('derives the public key that RFC 7748 gives for Bob in section 6.1', () => {
  const pairs = [
    [
      '5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb',
      'de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f',
    ],
  ] as const
  for (const [privateHex, publicHex] of pairs) {
    const privateKey = new Secret(Buffer.from(privateHex, 'hex').toString('base64'))
    expect(wireguardPublicKey(privateKey)).toBe(Buffer.from(publicHex, 'hex').toString('base64'))
  }
})

test('makes a new pair every time, clamped as wg genkey does', () => {
  const one = generateWireguardKeyPair()
  const other = generateWireguardKeyPair()
  expect(one.publicKey).not.toBe(other.publicKey)
  const raw = Buffer.from(one.privateKey.reveal(), 'base64')
  expect([raw.length, (raw[0] ?? 1) & 7, (raw[31] ?? 0) & 192]).toEqual([32, 0, 64])
  expect(String(one.privateKey)).toBe('[secret]')
})

test('refuses what is not 32 bytes of canonical base64, without repeating it', () => {
  const { publicKey } = generateWireguardKeyPair()
  for (const bad of ['', publicKey.slice(1), publicKey.replace('=', ''), `${'x'.repeat(43)}=`]) {
    expect(() => wireguardPublicKey(new Secret(bad))).toThrow(
      expect.objectContaining({
        code: 'ERR_WIREGUARD_KEY',
        message: 'a value is not a WireGuard key of 32 bytes',
      }),
    )
  }
})
