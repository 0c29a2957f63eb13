import { describe, expect, test } from 'vitest'
import { ByteWriter } from '../../../src/base/cursor.ts'
import { Secret } from '../../../src/base/secret.ts'
import { Capability } from '../../../src/mysql/capability.ts'
import { createNonce, isAuthResponseRight, isSameText } from '../../../src/mysql/server-auth.ts'
import {
  decodeHandshakeResponse,
  encodeAuthSwitch,
  encodeGreeting,
  isSslRequest,
} from '../../../src/mysql/server-handshake.ts'

const NONCE = Buffer.from('abcdefghijklmnopqrst')

// What the mysql2 driver answers to this nonce with the password `secret`.
const NATIVE = Buffer.from('8817c50fa779daef010ee7577825b0847df9842e', 'hex')
const SHA2 = Buffer.from('c76e2898612a4cf042c77fa8c4702c4c64c0c2c557c53c4d75595aaa6abae809', 'hex')

describe('passwords', () => {
  const { Protocol41, PluginAuth, SecureConnection } = Capability

  test.each([
    ['caching_sha2_password', SHA2],
    ['mysql_native_password', NATIVE],
  ] as const)('%s: the scramble of the password and nothing else', (plugin, token) => {
    const check = (password: string, bytes: Buffer) =>
      isAuthResponseRight(plugin, new Secret(password), NONCE, bytes)
    expect(check('secret', token)).toBe(true)
    expect(check('Secret', token)).toBe(false)
    for (const bytes of [Buffer.alloc(0), token.subarray(1), Buffer.concat([token, token])]) {
      expect(check('secret', bytes)).toBe(false)
    }
  })

  test('a nonce has no byte that ends a text or that old clients trip over', () => {
    for (let round = 0; round < 50; round += 1) {
      const nonce = createNonce()
      expect(nonce.length).toBe(20)
      expect(nonce.every((byte) => byte > 36 && byte < 127)).toBe(true)
    }
  })

  test('texts of different length are just different', () => {
    expect(isSameText('a', 'a')).toBe(true)
    expect(isSameText('a', 'ab')).toBe(false)
  })

  test('a response is read in both ways in which clients write the scramble', () => {
    for (const lenenc of [0, Capability.PluginAuthLenenc]) {
      const capabilities = (Protocol41 | PluginAuth | SecureConnection | lenenc) >>> 0
      const bytes = new ByteWriter()
        .u32(capabilities)
        .zeros(28)
        .textNul('me')
        .u8(3)
        .text('abc')
        .textNul('some_plugin')
        .take()
      expect(decodeHandshakeResponse(bytes)).toEqual({
        capabilities,
        user: 'me',
        authResponse: Buffer.from('abc'),
        authPlugin: 'some_plugin',
      })
      for (let length = 0; length < 39; length += 1) {
        expect(() => decodeHandshakeResponse(bytes.subarray(0, length))).toThrow(
          expect.objectContaining({ code: expect.stringMatching(/TRUNCATED|MALFORMED/) }),
        )
      }
    }
  })
})

describe('greeting', () => {
  test('is laid out as HandshakeV10', () => {
    const bytes = encodeGreeting({
      serverVersion: '9.7.4-landbridge',
      connectionId: 7,
      nonce: NONCE,
      capabilities: 0x0180aa02,
      authPlugin: 'caching_sha2_password',
    })
    expect(bytes.toString('latin1')).toBe(
      '\x0a9.7.4-landbridge\0\x07\0\0\0abcdefgh\0\x02\xaa\x2d\x02\0\x80\x01\x15' +
        `${'\0'.repeat(10)}ijklmnopqrst\0caching_sha2_password\0`,
    )
  })

  test('a request for TLS is the head of a response alone', () => {
    const head = new ByteWriter().u32(Capability.Ssl | Capability.Protocol41).zeros(28)
    expect(isSslRequest(head.take())).toBe(true)
    expect(isSslRequest(head.textNul('me').take())).toBe(false)
    expect(isSslRequest(Buffer.alloc(32))).toBe(false)
  })

  test('another method is asked for with the same nonce', () => {
    const bytes = encodeAuthSwitch('mysql_native_password', NONCE)
    expect(bytes.toString('latin1')).toBe('\xfemysql_native_password\0abcdefghijklmnopqrst\0')
  })
})
