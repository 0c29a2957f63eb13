import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import {
  callOperation,
  fetchOperations,
  fetchPeerStatus,
  fetchStatus,
} from '../../../src/api/admin-client.ts'
import { AdminServer, type AskPeer } from '../../../src/api/admin-server.ts'
import { listSockets, operateSocket } from '../../../src/api/socket-list.ts'
import { LandbridgeError } from '../../../src/base/errors.ts'
import { defineOperation, type Operation } from '../../../src/base/operation.ts'
import type { GatewayStatus } from '../../../src/status/status.ts'
import { operationTableOf, releaseOf } from '../../helpers/api/operation-table-of.ts'
import { needs } from '../../helpers/needs.ts'
import { drStatus } from '../../helpers/status/status-fixture.ts'

const run = promisify(execFile)
let directory: string
let socketPath: string
let stopping: AbortController
let running: Promise<void> | null

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'lb-'))
  socketPath = join(directory, 'run', 'azure.sock')
  stopping = new AbortController()
  running = null
})

afterEach(async () => {
  stopping.abort()
  await running
  await rm(directory, { recursive: true })
})

function serverOf(
  status: () => GatewayStatus,
  asked: readonly Operation[] = [],
  askPeer?: AskPeer,
): AdminServer {
  const metrics = async () => 'landbridge_info 1\n'
  const options = { socketPath, status, metrics, operations: operationTableOf(asked) }
  return new AdminServer({ ...options, ...(askPeer && { askPeer }) })
}

async function start(
  status: () => GatewayStatus = () => drStatus,
  askPeer?: AskPeer,
): Promise<void> {
  running = serverOf(status, [], askPeer).run(stopping.signal)
  await expect
    .poll(() =>
      stat(socketPath).then(
        () => true,
        () => false,
      ),
    )
    .toBe(true)
}

function ask(
  path: string,
  method = 'GET',
  body = '',
  at = socketPath,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const headers = { connection: 'close' }
    const asked = request({ socketPath: at, path, method, headers }, async (response) => {
      const text = (await response.toArray()).map(String).join('')
      resolve({ status: response.statusCode ?? 0, text })
    })
    asked.on('error', reject)
    asked.end(body)
  })
}

const NOBODY = 65_534

/** Whether a user of the group of this process may open a socket. */
async function connectAs(uid: number, path: string): Promise<string> {
  const code =
    'use IO::Socket::UNIX; print IO::Socket::UNIX->new(Peer => $ARGV[0]) ? "connected" : $!'
  const asUser = ['--reuid', `${uid}`, '--regid', '0', '--clear-groups', '--']
  const { stdout } = await run('setpriv', [...asUser, 'perl', '-e', code, path])
  return stdout
}

describe('admin server', () => {
  test('serves the status to its client, over a socket that others cannot open', async () => {
    await start()
    expect(await fetchStatus(socketPath)).toEqual(drStatus)
    expect((await stat(socketPath)).mode & 0o777).toBe(0o660)
    expect(await listSockets(join(directory, 'run'))).toEqual([socketPath])
  })

  test('whoever may only read has a socket of their own', needs('root'), async () => {
    const release = releaseOf({ main: async () => true })
    running = serverOf(() => drStatus, [release]).run(stopping.signal)
    const operate = operateSocket(socketPath)
    await expect.poll(() => fetchStatus(socketPath).catch(() => null)).toEqual(drStatus)
    expect((await stat(operate)).mode & 0o777).toBe(0o600)
    const path = '/v1/operations/replica.release'
    const input = JSON.stringify({ stream: 'main', replica: 'id:9' })
    const refused = await ask(path, 'POST', input)
    expect(refused).toMatchObject({ status: 403, text: expect.stringContaining('DENIED') })
    expect(await ask(path, 'POST', input, operate)).toMatchObject({
      status: 200,
      text: '{"output":{"released":true}}\n',
    })
    expect((await ask('/v1/live', 'GET', '', operate)).status).toBe(200)
    // A person of the group, which is root's here.
    await chmod(directory, 0o750)
    expect(await connectAs(NOBODY, socketPath)).toBe('connected')
    expect(await connectAs(NOBODY, operate)).toBe('Permission denied')
  })

  test('the path of the second socket is told from that of the first', () => {
    expect(operateSocket('/run/landbridge/ec2.sock')).toBe('/run/landbridge/ec2.operate.sock')
    expect(operateSocket('/run/admin')).toBe('/run/admin.operate.sock')
  })

  test('tells health with reasons, liveness and metrics', async () => {
    let status = drStatus
    await start(() => status)
    expect(await ask('/v1/health')).toMatchObject({ status: 200 })
    const problem = {
      code: 'ERR_LINK',
      severity: 'error',
      where: 'link',
      message: 'no route',
      sinceMs: 0,
    } as const
    status = { ...drStatus, state: 'degraded', problems: [problem] }
    const health = await ask('/v1/health')
    expect(health.status).toBe(503)
    expect(JSON.parse(health.text)).toEqual({
      healthy: false,
      state: 'degraded',
      reasons: ['link: no route (ERR_LINK)'],
    })
    expect((await ask('/v1/live')).status).toBe(200)
    expect((await ask('/metrics?x=1')).text).toBe('landbridge_info 1\n')
  })

  test('serves operations to its client, with their steps and their errors', async () => {
    const slow = defineOperation({
      name: 'slow',
      summary: 'take its time',
      permission: 'operate',
      input: z.strictObject({ fail: z.boolean().default(false) }),
      output: z.strictObject({ ok: z.boolean() }),
      run({ fail }, { progress }) {
        progress('one')
        progress('two')
        if (!fail) return { ok: true }
        throw new LandbridgeError('ERR_DISK_FULL', 'no room', { remedy: 'make some' })
      },
    })
    running = serverOf(() => drStatus, [slow]).run(stopping.signal)
    await expect.poll(() => fetchStatus(socketPath).catch(() => null)).toEqual(drStatus)
    const { signal } = stopping
    const [facts] = await fetchOperations(socketPath, signal)
    expect(facts).toMatchObject({ name: 'slow', permission: 'operate', input: { type: 'object' } })
    const steps: string[] = []
    const call = (input: object, name = 'slow') => {
      const operation = { name, permission: 'operate' } as const
      const onProgress = (step: string) => void steps.push(step)
      return callOperation(socketPath, operation, input, { signal, onProgress })
    }
    expect(await call({})).toEqual({ ok: true })
    expect(steps).toEqual(['one', 'two'])
    await expect(call({ fail: true })).rejects.toMatchObject({
      ...{ code: 'ERR_DISK_FULL', message: 'no room', remedy: 'make some' },
    })
    await expect(call({ fail: 7 })).rejects.toMatchObject({ code: 'ERR_OPERATION_INPUT' })
    await expect(call({}, 'other')).rejects.toMatchObject({ code: 'ERR_OPERATION_UNKNOWN' })
    const path = '/v1/operations/slow'
    const operate = operateSocket(socketPath)
    expect((await ask(path, 'POST', '{', operate)).status).toBe(400)
    expect((await ask(path, 'POST', `"${'x'.repeat(70_000)}"`, operate)).status).toBe(413)
    expect((await ask(path, 'GET', '', operate)).status).toBe(404)
    expect(JSON.parse((await ask('/v1/openapi.json')).text)).toMatchObject({ openapi: '3.1.0' })
    stopping.abort()
    await running
    stopping = new AbortController()
    const gone = callOperation(socketPath, slow, {}, { signal: stopping.signal })
    await expect(gone).rejects.toMatchObject({ code: 'ERR_GATEWAY_NOT_RUNNING' })
  })

  test('lets go of who takes no answer, so that others get theirs', {
    timeout: 90_000,
  }, async () => {
    const large = defineOperation({
      name: 'large',
      summary: 'say much',
      permission: 'read',
      input: z.strictObject({}),
      output: z.strictObject({ text: z.string() }),
      run: () => ({ text: 'x'.repeat(4_000_000) }),
    })
    running = serverOf(() => drStatus, [large]).run(stopping.signal)
    await expect.poll(() => fetchStatus(socketPath).catch(() => null)).toEqual(drStatus)
    const deaf = Array.from({ length: 16 }, () => {
      const socket = connect(socketPath)
      socket.on('error', () => undefined)
      socket.pause()
      socket.write('POST /v1/operations/large HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n{}')
      return socket
    })
    await expect
      .poll(() => fetchStatus(socketPath).catch(() => null), { interval: 1_000, timeout: 60_000 })
      .toEqual(drStatus)
    for (const socket of deaf) socket.destroy()
  })

  test('cancels an operation when whoever asked has gone', async () => {
    const begun = Promise.withResolvers<void>()
    const ended = Promise.withResolvers<string>()
    const endless = defineOperation({
      name: 'endless',
      summary: 'wait for ever',
      permission: 'operate',
      input: z.strictObject({}),
      output: z.strictObject({}),
      async run(_input, { signal }) {
        begun.resolve()
        await once(signal, 'abort')
        ended.resolve('cancelled')
        return {}
      },
    })
    running = serverOf(() => drStatus, [endless]).run(stopping.signal)
    await expect.poll(() => fetchStatus(socketPath).catch(() => null)).toEqual(drStatus)
    const leaving = new AbortController()
    const asked = callOperation(socketPath, endless, {}, { signal: leaving.signal })
    await begun.promise
    leaving.abort()
    await expect(asked).rejects.toMatchObject({ name: 'AbortError' })
    expect(await ended.promise).toBe('cancelled')
  })

  test('lets go of what a replica of a stream needs', async () => {
    const released: string[] = []
    const release = async (replica: string) => {
      released.push(replica)
      return replica === 'id:9'
    }
    running = serverOf(() => drStatus, [releaseOf({ 'a/b': release })]).run(stopping.signal)
    await expect.poll(() => fetchStatus(socketPath).catch(() => null)).toEqual(drStatus)
    const operation = { name: 'replica.release', permission: 'operate' } as const
    const gone = (stream: string, replica: string) =>
      callOperation(socketPath, operation, { stream, replica }, stopping)
    expect(await gone('a/b', 'id:9')).toEqual({ released: true })
    expect(await gone('a/b', 'id:8/..')).toEqual({ released: false })
    await expect(gone('other', 'id:9')).rejects.toMatchObject({ code: 'ERR_STREAM_UNKNOWN' })
    expect(released).toEqual(['id:9', 'id:8/..'])
  })

  test('a release that fails is told, and the gateway lives on', async () => {
    const release = () => Promise.reject(new Error('the disk is gone'))
    running = serverOf(() => drStatus, [releaseOf({ main: release })]).run(stopping.signal)
    await expect.poll(() => fetchStatus(socketPath).catch(() => null)).toEqual(drStatus)
    const operation = { name: 'replica.release', permission: 'operate' } as const
    const input = { stream: 'main', replica: 'id:9' }
    await expect(callOperation(socketPath, operation, input, stopping)).rejects.toMatchObject({
      message: expect.stringContaining('the disk is gone'),
    })
    expect((await ask('/v1/live')).status).toBe(200)
  })

  test('what is asked of a peer is never done here instead', async () => {
    let released = 0
    const release = releaseOf({
      main: async () => {
        released += 1
        return true
      },
    })
    running = serverOf(() => drStatus, [release]).run(stopping.signal)
    await expect.poll(() => fetchStatus(socketPath).catch(() => null)).toEqual(drStatus)
    const input = JSON.stringify({ stream: 'main', replica: 'id:9' })
    const path = '/v1/peers/azure/operations/replica.release'
    expect((await ask(path, 'POST', input, operateSocket(socketPath))).status).toBe(404)
    expect(released).toBe(0)
  })

  test('refuses other paths, methods and large headers, survives a failing status', async () => {
    await start(() => {
      throw new Error('broken')
    })
    expect((await ask('/v1/status')).status).toBe(500)
    expect((await ask('/')).status).toBe(404)
    expect((await ask('/constructor')).status).toBe(404)
    expect((await ask('/v1/live', 'POST', 'x'.repeat(100_000))).status).toBe(405)
    expect((await ask(`/${'x'.repeat(20_000)}`)).status).toBe(431)
    expect((await ask('/v1/live')).status).toBe(200)
    await expect(fetchStatus(socketPath)).rejects.toMatchObject({ code: 'ERR_GATEWAY_ANSWER' })
  })

  test('replaces the socket of a crashed gateway and removes its own when it stops', async () => {
    await start()
    stopping.abort()
    await running
    await expect(stat(socketPath)).rejects.toMatchObject({ code: 'ENOENT' })
    await writeFile(socketPath, '')
    stopping = new AbortController()
    await start()
    await expect.poll(() => fetchStatus(socketPath).catch(() => null)).toEqual(drStatus)
  })

  test('does not take the socket from a living gateway', async () => {
    await start()
    const second = serverOf(() => drStatus).run(stopping.signal)
    await expect(second).rejects.toMatchObject({ code: 'ERR_ADMIN_SOCKET_BUSY' })
    expect(await fetchStatus(socketPath)).toEqual(drStatus)
  })

  test('names a path that is too long or cannot be made', async () => {
    socketPath = join(directory, 'x'.repeat(120))
    const code = 'ERR_ADMIN_SOCKET'
    await expect(serverOf(() => drStatus).run(stopping.signal)).rejects.toMatchObject({ code })
    await writeFile(join(directory, 'file'), '')
    socketPath = join(directory, 'file', 'a.sock')
    await expect(serverOf(() => drStatus).run(stopping.signal)).rejects.toMatchObject({ code })
  })
})

describe('admin client', () => {
  test('says that no gateway runs, and what to do', async () => {
    await expect(fetchStatus(socketPath)).rejects.toMatchObject({
      code: 'ERR_GATEWAY_NOT_RUNNING',
      remedy: expect.stringContaining('landbridge run'),
    })
    expect(await listSockets(join(directory, 'none'))).toEqual([])
  })

  test('takes the status of a peer only in the form that it knows', async () => {
    let answer: unknown = drStatus
    await start(undefined, async () => answer)
    const { signal } = new AbortController()
    expect(await fetchPeerStatus(socketPath, 'ec2', { signal })).toMatchObject({ name: 'azure' })
    answer = { ...drStatus, schema: 2 }
    await expect(fetchPeerStatus(socketPath, 'ec2', { signal })).rejects.toMatchObject({
      code: 'ERR_GATEWAY_ANSWER',
      message: 'gateway ec2 answered with schema 2, not 3',
    })
  })

  test('gives up on a gateway that does not answer, and on another kind of server', async () => {
    const path = join(directory, 'mute.sock')
    let answer: string | null = null
    const server = createServer((socket) => {
      socket.on('error', () => {})
      socket.on('data', () => void (answer !== null && socket.end(answer)))
    })
    await new Promise<void>((resolve) => server.listen(path, resolve))
    const mute = fetchStatus(path, { timeoutMs: 50 })
    await expect(mute).rejects.toMatchObject({ code: 'ERR_GATEWAY_UNREACHABLE' })
    const stopped = new AbortController()
    const aborted = fetchStatus(path, { signal: stopped.signal })
    stopped.abort()
    await expect(aborted).rejects.toMatchObject({ name: 'AbortError' })
    answer = 'HTTP/1.1 200 OK\r\n\r\n{"schema":1}'
    const other = fetchStatus(path)
    await expect(other).rejects.toMatchObject({ code: 'ERR_GATEWAY_ANSWER' })
    await new Promise((resolve) => server.close(resolve))
  })
})
