import { expect, test } from 'vitest'
import { EndpointResolver } from '../../../src/tunnel/endpoint-resolver.ts'

test('tries all addresses of all endpoints in turn', async () => {
  const resolver = new EndpointResolver(
    [
      { host: 'ec2.example', port: 51_820 },
      { host: '198.51.100.9', port: 51_821 },
    ],
    async () => ['198.51.100.2', '2001:db8::2'],
  )
  const tried = []
  for (let attempts = 0; attempts < 4; attempts += 1) tried.push(await resolver.next())
  expect(tried).toEqual([
    '198.51.100.2:51820',
    '[2001:db8::2]:51820',
    '198.51.100.9:51821',
    '198.51.100.2:51820',
  ])
})

test('keeps the last good address while a name fails, and follows it when it moves', async () => {
  const answers: (string[] | null)[] = [null, ['198.51.100.2'], null, ['198.51.100.3']]
  const resolver = new EndpointResolver([{ host: 'ec2.example', port: 1 }], async () => {
    const answer = answers.shift()
    if (answer) return answer
    throw Object.assign(new Error('no'), { code: 'ENOTFOUND' })
  })
  expect([await resolver.next(), resolver.failure]).toEqual([
    null,
    'ec2.example cannot be resolved (ENOTFOUND)',
  ])
  expect([await resolver.next(), resolver.failure]).toEqual(['198.51.100.2:1', null])
  expect(await resolver.next()).toBe('198.51.100.2:1')
  expect(await resolver.next()).toBe('198.51.100.3:1')
})

test('a peer that only dials has nowhere to be found', async () => {
  expect(await new EndpointResolver([]).next()).toBeNull()
})
