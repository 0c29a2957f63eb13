import { expect, test } from 'vitest'
import { LoginMemory } from '../../../../src/relay/login/login-memory.ts'

function memory(bytesMax: number) {
  const all = new LoginMemory({ bytesMax })
  const gone: string[] = []
  const share = (address: string, name: string) => all.share(address, () => gone.push(name))
  return { all, gone, share }
}

test('the largest login of the address that holds most goes', () => {
  const { all, gone, share } = memory(100)
  const replica = share('1.1.1.1', 'replica')
  replica.keep('dump', 50)
  const many = Array.from({ length: 6 }, (_, at) => share('2.2.2.2', `many ${at}`))
  for (const [at, one] of many.entries()) one.keep('variables', 10 + at)
  // 50 of the replica and 10 to 13; then 14 was too much, and 15.
  expect(gone).toEqual(['many 4', 'many 5'])
  expect(all.bytes).toBe(96)
})

test('kinds are counted for themselves, and go with their login', () => {
  const { all, gone, share } = memory(100)
  const one = share('1.1.1.1', 'one')
  one.keep('variables', 40)
  one.keep('packet', 50)
  one.keep('packet', 0)
  one.keep('answer', 60)
  expect([all.bytes, gone]).toEqual([100, []])
  one.leave()
  one.leave()
  expect(all.bytes).toBe(0)
  one.keep('answer', 1_000)
  expect(all.bytes).toBe(0)
})

test('whoever asks for more than all may have goes itself', () => {
  const { all, gone, share } = memory(100)
  share('1.1.1.1', 'small').keep('variables', 10)
  share('2.2.2.2', 'large').keep('answer', 1_000)
  expect([all.bytes, gone]).toEqual([10, ['large']])
})
