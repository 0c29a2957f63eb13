import { once } from 'node:events'
import { createServer } from 'node:net'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { fetchStatus } from '../../../../src/api/admin-client.ts'
import { AdminServer } from '../../../../src/api/admin-server.ts'
import { operateSocket } from '../../../../src/api/socket-list.ts'
import { defineOperation } from '../../../../src/base/operation.ts'
import {
  type AskFlags,
  askGateway,
  type Question,
} from '../../../../src/cli/operation/gateway-call.ts'
import { operationTableOf } from '../../../helpers/api/operation-table-of.ts'
import { PairFolder } from '../../../helpers/pair/pair-folder.ts'
import { drStatus } from '../../../helpers/status/status-fixture.ts'

const thing = defineOperation({
  name: 'thing.change',
  summary: 'change something',
  permission: 'operate',
  input: z.strictObject({}),
  output: z.strictObject({ changed: z.string() }),
  async run(_input, { progress, signal }) {
    progress('a step')
    await goingOn
    signal.throwIfAborted()
    return { changed: 'by the gateway' }
  },
})
const output = z.object({ changed: z.string() })
const question = {
  name: 'thing.change',
  permission: 'operate',
  input: {},
  output,
  here: async (path: string) => ({ changed: `here, by ${path}` }),
} as const

const { signal } = new AbortController()
let goingOn: Promise<void> = Promise.resolve()
let pair: PairFolder
let flags: AskFlags
let written: string[]
let stopping: AbortController
let serving: Promise<void>

beforeEach(async () => {
  goingOn = Promise.resolve()
  pair = await PairFolder.create()
  const socketPath = pair.at('azure.sock')
  await pair.edit('gateway/azure.yaml', ['/run/landbridge/azure.sock', socketPath])
  flags = { config: pair.at('gateway/azure.yaml') }
  written = []
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => written.push(String(text)) > 0)
  stopping = new AbortController()
  const operations = operationTableOf([thing])
  const [status, metrics] = [() => drStatus, async () => '']
  const server = new AdminServer({ socketPath, status, metrics, operations })
  serving = server.run(stopping.signal)
  await expect.poll(() => fetchStatus(socketPath).catch(() => null)).not.toBeNull()
})

afterEach(async () => {
  vi.restoreAllMocks()
  Reflect.deleteProperty(process.stderr, 'isTTY')
  stopping.abort()
  await serving
  await pair[Symbol.asyncDispose]()
})

function sit(isTTY: boolean): void {
  Object.defineProperty(process.stderr, 'isTTY', { value: isTTY, configurable: true })
}

test('the gateway is asked; its steps are for whoever sits at a terminal', async () => {
  const answer = { output: { changed: 'by the gateway' }, gatewayAnswers: true }
  sit(false)
  expect(await askGateway(flags, question, signal)).toEqual(answer)
  sit(true)
  expect(await askGateway({ ...flags, json: true }, question, signal)).toEqual(answer)
  expect(written).toEqual([])
  expect(await askGateway(flags, question, signal)).toEqual(answer)
  expect(written).toEqual(['a step\n'])
})

test('where none answers, it is done here by the configuration, or not at all', async () => {
  stopping.abort()
  await serving
  expect(await askGateway(flags, question, signal)).toEqual({
    output: { changed: `here, by ${flags.config}` },
    gatewayAnswers: false,
  })
  const refused = [
    [flags, { ...question, here: null }],
    [{ ...flags, peer: 'ec2' }, question],
    [{ socket: pair.at('azure.sock') }, question],
  ] as const
  for (const [asked, about] of refused) {
    await expect(askGateway(asked, about, signal)).rejects.toMatchObject({
      code: 'ERR_GATEWAY_NOT_RUNNING',
    })
  }
})

test('one that is late, or breaks off, may do it just then: only a look is done here', async () => {
  stopping.abort()
  await serving
  const path = pair.at('azure.sock')
  const servers = [path, operateSocket(path)].map((each) => createServer().listen(each))
  await Promise.all(servers.map((server) => once(server, 'listening')))
  let breaks = true
  for (const server of servers) {
    server.on('connection', (socket) => {
      socket.on('error', () => undefined)
      if (breaks) socket.once('data', () => socket.destroy())
    })
  }
  const unreachable = { code: 'ERR_GATEWAY_UNREACHABLE' }
  const look = { ...question, permission: 'read' } as const
  for (breaks of [true, false]) {
    const asked = { ...question, silentMsMax: 100 }
    await expect(askGateway(flags, asked, signal)).rejects.toMatchObject(unreachable)
    const looked = await askGateway(flags, { ...look, silentMsMax: 100 }, signal)
    expect(looked.gatewayAnswers).toBe(false)
  }
  for (const server of servers) server.close()
})

test('a gateway that refuses, or is of another version, is not passed over', async () => {
  const cases: readonly (readonly [Question<z.ZodType>, string, RegExp])[] = [
    [{ ...question, name: 'thing.new' }, 'ERR_OPERATION_UNKNOWN', /restart the gateway/],
    [{ ...question, input: { other: 1 } }, 'ERR_OPERATION_INPUT', /schema/],
    [{ ...question, output: z.object({ changed: z.int() }) }, 'ERR_GATEWAY_ANSWER', /same version/],
  ]
  for (const [about, code, remedy] of cases) {
    await expect(
      askGateway(flags, { ...about, here: () => Promise.reject(new Error('done here')) }, signal),
    ).rejects.toMatchObject({ code, remedy: expect.stringMatching(remedy) })
  }
})

test('whoever interrupts what changes something is told where to look', async () => {
  const interrupted = new AbortController()
  const going = Promise.withResolvers<void>()
  goingOn = going.promise
  sit(true)
  const asked = askGateway(flags, question, interrupted.signal)
  const failed = expect(asked).rejects.toMatchObject({
    code: 'ERR_INTERRUPTED',
    remedy: expect.stringContaining('operation journal'),
  })
  await expect.poll(() => written).toEqual(['a step\n'])
  interrupted.abort()
  await failed
  going.resolve()
})
