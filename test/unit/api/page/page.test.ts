import { once } from 'node:events'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { SECURITY_HEADERS } from '../../../../src/api/page/page-server.ts'
import { LandbridgeError } from '../../../../src/base/errors.ts'
import { closeCodeOf, heard, refusalOf, ServedPage } from '../../../helpers/page/served-page.ts'

describe('the files', () => {
  test('are served with a policy that lets nothing in from elsewhere', async () => {
    await using served = await ServedPage.start()
    for (const path of ['/', '/page.css', '/app/api/page/browser/main.ts', '/missing']) {
      const { response } = await served.get(path)
      expect(response.statusCode, path).toBe(path === '/missing' ? 404 : 200)
      expect(response.headers, path).toMatchObject(SECURITY_HEADERS)
    }
    const policy = SECURITY_HEADERS['content-security-policy']
    expect(policy).toContain("default-src 'none'")
    expect(policy).not.toMatch(/unsafe|\*|http|data:|blob:/)
  })

  test('are not served under the name of another host', async () => {
    await using served = await ServedPage.start()
    for (const host of ['evil.example', `evil.example:${served.page.port}`, '10.0.0.1']) {
      const { response, body } = await served.get('/', { headers: { host } })
      expect([response.statusCode, body]).toEqual([403, 'not this host\n'])
    }
    const { response } = await served.get('/', { headers: { host: 'localhost:9000' } })
    expect(response.statusCode).toBe(200)
  })

  test('are not sent again when they are the same, and answer nothing but GET', async () => {
    await using served = await ServedPage.start()
    const { response } = await served.get('/page.css')
    const { etag = '' } = response.headers
    const again = await served.get('/page.css', { headers: { 'if-none-match': etag } })
    expect([again.response.statusCode, again.body]).toEqual([304, ''])
    expect((await served.get('/', { method: 'POST' })).response.statusCode).toBe(405)
    expect((await served.get('/', { method: 'HEAD' })).body).toBe('')
  })
})

describe('the WebSocket', () => {
  test.each([
    [{ origin: 'http://evil.example' }, '/live', 403],
    [{ origin: 'http://127.0.0.1:1' }, '/live', 403],
    [{ origin: 'null' }, '/live', 403],
    [{ origin: '' }, '/live', 403],
    [{ origin: 'http://evil.example', headers: { host: 'evil.example' } }, '/live', 403],
    [{}, '/other', 404],
  ])('%j at %s is refused', async (options, path, status) => {
    await using served = await ServedPage.start()
    expect(await refusalOf(served.connect(options, path))).toBe(status)
  })

  test('says hello with what may be asked, then a view of all gateways each second', async () => {
    await using served = await ServedPage.start()
    const { messages, next } = heard(served.connect())
    await next('view')
    await next('view')
    const [hello, view] = messages
    expect(hello).toMatchObject({ type: 'hello', protocol: 1, gateway: 'azure', peers: ['ec2'] })
    const names = hello?.type === 'hello' ? hello.operations.map(({ name }) => name) : []
    expect(names).toEqual(['status', 'slow', 'long'])
    expect(view).toMatchObject({
      type: 'view',
      status: { name: 'azure' },
      peers: [{ name: 'ec2', status: { name: 'ec2' }, error: null }],
    })
  })

  test('costs one status a second however many look, and none while nobody does', async () => {
    await using served = await ServedPage.start()
    await sleep(1_200)
    expect([served.statuses, served.askedPeers.length]).toEqual([0, 0])
    const pages = Array.from({ length: 5 }, () => heard(served.connect()))
    for (const { next } of pages) await next('view')
    const before = served.statuses
    await sleep(3_000)
    const made = served.statuses - before
    expect(made).toBeGreaterThanOrEqual(2)
    expect(made).toBeLessThanOrEqual(4)
  })

  test('takes eight pages, and the ninth when one has gone', async () => {
    await using served = await ServedPage.start()
    const sockets = Array.from({ length: 8 }, () => served.connect())
    await Promise.all(sockets.map((socket) => once(socket, 'open')))
    expect(await refusalOf(served.connect())).toBe(503)
    sockets[0]?.close()
    await expect
      .poll(async () => {
        const socket = served.connect()
        return await Promise.race([once(socket, 'open').then(() => 200), refusalOf(socket)])
      })
      .toBe(200)
  })
})

describe('what a page asks', () => {
  const ask = (operation: string, more: object = {}) =>
    JSON.stringify({ type: 'ask', id: 1, operation, input: {}, ...more })

  test('is answered, also by a peer', async () => {
    await using served = await ServedPage.start()
    const socket = served.connect()
    const { next } = heard(socket)
    await next('view')
    socket.send(ask('status'))
    expect(await next('answer')).toMatchObject({ id: 1, output: { name: 'azure' } })
    socket.send(ask('status', { peer: 'ec2' }))
    expect(await next('answer')).toMatchObject({ id: 1, output: { name: 'ec2' } })
  })

  test.each([
    ['replica.release', 'ERR_OPERATION_DENIED'],
    ['nothing', 'ERR_OPERATION_UNKNOWN'],
    ['long', 'ERR_OPERATION_ANSWER'],
  ])('%s is answered with %s', async (operation, code) => {
    await using served = await ServedPage.start()
    const socket = served.connect()
    const { next } = heard(socket)
    await once(socket, 'open')
    socket.send(ask(operation))
    expect(await next('answer')).toMatchObject({ id: 1, error: { code } })
  })

  test('is bounded: four at once, whose work ends with the page', async () => {
    await using served = await ServedPage.start()
    const socket = served.connect()
    const { messages, next } = heard(socket)
    await once(socket, 'open')
    for (let id = 1; id <= 5; id += 1) socket.send(ask('slow', { id }))
    expect(await next('answer')).toMatchObject({ id: 5, error: { code: 'ERR_OPERATION_BUSY' } })
    expect(messages.filter(({ type }) => type === 'progress')).toHaveLength(4)
    socket.terminate()
    const other = served.connect()
    const again = heard(other)
    await once(other, 'open')
    other.send(ask('status'))
    expect(await again.next('answer')).toMatchObject({ output: { name: 'azure' } })
  })

  test.each([
    ['no JSON', 'x', 1008],
    ['another message', '{"type":"hello"}', 1008],
    ['an unknown field', ask('status', { granted: 'recover' }), 1008],
    ['bytes', Buffer.from(ask('status')), 1008],
    ['a long message', ask('status', { input: { text: 'x'.repeat(20_000) } }), 1009],
  ])('as %s closes the connection', async (_name, message, code) => {
    await using served = await ServedPage.start()
    const socket = served.connect()
    await once(socket, 'open')
    socket.send(message)
    expect(await closeCodeOf(socket)).toBe(code)
  })
})

test('a peer that cannot be asked is shown as it was heard last, with the reason', async () => {
  let isAway = false
  await using served = await ServedPage.start({
    askPeer: async () => {
      if (isAway) throw new LandbridgeError('ERR_PEER_AWAY', 'ec2 is not connected')
      return { schema: 3, name: 'ec2' }
    },
  })
  const { next } = heard(served.connect())
  expect((await next('view')).peers[0]).toMatchObject({ status: { name: 'ec2' }, error: null })
  isAway = true
  await next('view')
  const { peers } = await next('view')
  const error = { code: 'ERR_PEER_AWAY', message: 'ec2 is not connected' }
  expect(peers[0]).toMatchObject({ status: { name: 'ec2' }, error })
})

test('texts that turn the order round or are endless are made harmless', async () => {
  const message = `\u202egnp.exe${'x'.repeat(5_000)}`
  await using served = await ServedPage.start({
    askPeer: async () => ({ schema: 3, name: message }),
  })
  const { next } = heard(served.connect())
  const shown = (await next('view')).peers[0]?.status?.name ?? ''
  expect(shown).toMatch(/^\\u202egnp\.exex+…$/)
  expect(shown.length).toBeLessThan(1_100)
})

test('an address that is taken is a problem of the status, until it is free', async () => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  const address = other.address()
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0
  const config = { listen: { host: '127.0.0.1', port }, viewersPem: null }
  const starting = ServedPage.start({ config })
  await sleep(300)
  other.close()
  await using served = await starting
  expect(served.page.port).toBe(port)
  expect(served.page.problems()).toEqual([])
})
