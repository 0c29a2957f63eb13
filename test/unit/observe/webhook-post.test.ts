import { describe, expect, test } from 'vitest'
import { describeError } from '../../../src/base/errors.ts'
import { Secret } from '../../../src/base/secret.ts'
import { createAuthority, issueGatewayCertificate } from '../../../src/keys/certificates.ts'
import { type PostTarget, postJson } from '../../../src/observe/webhook-post.ts'
import { AlertReceiver } from '../../helpers/observe/alert-receiver.ts'

const never = new AbortController().signal

function targetAt(receiver: AlertReceiver, change: Partial<PostTarget> = {}): PostTarget {
  const { origin } = receiver
  const url = new Secret(`${origin}/hook/t0ken?key=hidden`)
  return { url, origin, authorization: null, caPem: null, ...change }
}

describe('a post', () => {
  test('is JSON with the secret in its header, to the whole URL', async () => {
    await using receiver = await AlertReceiver.start()
    const authorization = new Secret('Bearer abc')
    await postJson(targetAt(receiver, { authorization }), { alerts: [] }, never)
    const [post] = receiver.posts
    expect(post?.url).toBe('/hook/t0ken?key=hidden')
    expect(post?.body).toEqual({ alerts: [] })
    expect(post?.headers).toMatchObject({
      'content-type': 'application/json',
      authorization: 'Bearer abc',
    })
  })

  test.each([
    [{ status: 500 }, 'HTTP 500'],
    [{ status: 401 }, 'HTTP 401'],
    [{ status: 302, headers: { location: 'http://127.0.0.1:1/other' } }, 'HTTP 302'],
    ['hang up', 'cannot be reached'],
    ['silence', 'has not answered for 0.2 s'],
  ] as const)(
    'that is answered by %o is an error that names the origin alone',
    async (how, why) => {
      await using receiver = await AlertReceiver.start()
      receiver.answer = how
      const posting = postJson(targetAt(receiver), { alerts: [] }, never, 200)
      const error: unknown = await posting.then(
        () => null,
        (cause: unknown) => cause,
      )
      expect(error).toMatchObject({ code: 'ERR_WEBHOOK', retryable: true })
      expect(describeError(error)).toContain(why)
      expect(describeError(error)).toContain(receiver.origin)
      expect(JSON.stringify([describeError(error), error])).not.toMatch(/t0ken|hidden/)
      expect(receiver.posts).toHaveLength(1)
    },
  )

  test('over TLS goes to a receiver that the authority vouches for, and to no other', async () => {
    const nowMs = Date.now()
    const authority = await createAuthority('receivers', nowMs)
    const own = { authority, name: 'hook', tunnelAddress: '127.0.0.1', nowMs }
    const { certificatePem, privateKeyPem } = await issueGatewayCertificate(own)
    const tls = { cert: certificatePem, key: privateKeyPem.reveal() }
    await using receiver = await AlertReceiver.start(tls)
    const { certificatePem: caPem } = authority
    await postJson(targetAt(receiver, { caPem }), { alerts: [] }, never)
    expect(receiver.posts).toHaveLength(1)
    const posting = postJson(targetAt(receiver), { alerts: [] }, never)
    await expect(posting).rejects.toMatchObject({ code: 'ERR_WEBHOOK' })
    expect(receiver.posts).toHaveLength(1)
  })

  test('does not wait for an answer that never ends', async () => {
    await using receiver = await AlertReceiver.start()
    receiver.answer = 'endless'
    await postJson(targetAt(receiver), { alerts: [] }, never)
    expect(receiver.posts).toHaveLength(1)
  })

  test('ends with its signal', async () => {
    await using receiver = await AlertReceiver.start()
    receiver.answer = 'silence'
    const stopping = new AbortController()
    const posting = postJson(targetAt(receiver), { alerts: [] }, stopping.signal)
    await expect.poll(() => receiver.posts.length).toBe(1)
    stopping.abort()
    await expect(posting).rejects.toThrow('abort')
  })
})
