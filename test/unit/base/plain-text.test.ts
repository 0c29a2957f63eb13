import fc from 'fast-check'
import { expect, test } from 'vitest'
import { plainJson, plainLine, plainText, plainValue } from '../../../src/base/plain-text.ts'
import { Secret } from '../../../src/base/secret.ts'
import { commandsIn, HOSTILE } from '../../helpers/terminal/hostile-text.ts'

test('what would command a terminal becomes a visible escape', () => {
  expect(plainText('a\u001b[2J\u0007\u007f\u009b\r')).toBe('a\\x1b[2J\\x07\\x7f\\x9b\\r')
  expect(plainText('\u202eb\u2066\u2028\u2029\ufeff\u{e0001}\ud800')).toBe(
    '\\u202eb\\u2066\\u2028\\u2029\\ufeff\\u{e0001}\\ud800',
  )
  expect(plainText('größe 数据 😀 \\ %')).toBe('größe 数据 😀 \\ %')
})

test('line ends and tabs stay between lines, and are escaped within one', () => {
  expect(plainText('a\r\n\tb')).toBe('a\n\tb')
  expect(plainLine('a\r\n\tb')).toBe('a\\r\\n\\tb')
})

test('JSON keeps its meaning and holds nothing that commands a terminal', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const json = plainJson(JSON.stringify({ [text]: text }))
      expect(JSON.parse(json)).toEqual({ [text]: text })
      expect(json).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u)
    }),
    { numRuns: 50 },
  )
})

test('every text of a value is made plain; a secret stays one', () => {
  const secret = new Secret('hunter2')
  const value = { [HOSTILE]: [HOSTILE, { remedy: 'a\nb', name: 'a\nb' }], secret, n: 1n, no: null }
  const plain = plainValue(value)
  expect(commandsIn(JSON.stringify(plain, (_key, one) => (one === 1n ? 1 : one)))).toEqual([])
  expect(Object.values(plain)[0]).toMatchObject([{}, { remedy: 'a\nb', name: 'a\\nb' }])
  expect(plain.secret).toBe(secret)
})
