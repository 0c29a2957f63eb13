import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { Journal } from '../../../src/api/journal.ts'
import { openApiOf } from '../../../src/api/open-api.ts'
import { OperationTable } from '../../../src/api/operation-table.ts'
import { silentLog } from '../../../src/base/log.ts'
import { defineOperation, SECRET } from '../../../src/base/operation.ts'
import type { Permission } from '../../../src/base/permission.ts'
import { MemoryDisk } from '../../helpers/disk/memory-disk.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'

const going = Promise.withResolvers<void>()
const look = defineOperation({
  name: 'look',
  summary: 'look at something',
  permission: 'read',
  input: z.strictObject({ at: z.string().max(9).default('all') }),
  output: z.strictObject({ seen: z.string() }),
  async run({ at }) {
    if (at === 'slowly') await going.promise
    return { seen: at }
  },
})
const change = defineOperation({
  name: 'thing.change',
  summary: 'change something',
  permission: 'operate',
  input: z.strictObject({ how: z.enum(['well', 'badly', 'slowly']) }),
  output: z.strictObject({ changed: z.boolean() }),
  async run({ how }, { progress, signal }) {
    progress(`changing it ${how}`)
    if (how === 'badly') throw new Error('it broke')
    if (how === 'slowly') await going.promise
    signal.throwIfAborted()
    return { changed: true }
  },
})

class Fixture {
  readonly journal = new Journal({
    ...{ path: '/data/journal.jsonl', clock: new FakeClock(), log: silentLog },
    disk: new MemoryDisk(),
  })
  readonly table = new OperationTable([look, change], this.journal)
  readonly steps: string[] = []

  async call(
    name: string,
    input: unknown = undefined,
    granted: Permission = 'operate',
    signal: AbortSignal = new AbortController().signal,
  ): Promise<unknown> {
    const progress = (step: string) => void this.steps.push(step)
    return await this.table.call({ name, input, granted, caller: 'azure', signal, progress })
  }

  get lines(): unknown[] {
    return this.journal.entries(99).map(({ phase, detail, caller }) => [phase, caller, detail])
  }
}

describe('operations', () => {
  test('are asked by name, with an input that is checked', async () => {
    const fixture = new Fixture()
    expect(await fixture.call('look')).toEqual({ seen: 'all' })
    expect(await fixture.call('look', { at: 'it' })).toEqual({ seen: 'it' })
    for (const bad of [{ at: 7 }, { at: 'x'.repeat(10) }, { other: 1 }, [], 'text', 5]) {
      await expect(fixture.call('look', bad)).rejects.toMatchObject({ code: 'ERR_OPERATION_INPUT' })
    }
    await expect(fixture.call('thing.change', { how: 'otherwise' })).rejects.toMatchObject({
      code: 'ERR_OPERATION_INPUT',
      message: expect.stringContaining('how:'),
    })
    await expect(fixture.call('constructor')).rejects.toMatchObject({
      code: 'ERR_OPERATION_UNKNOWN',
    })
    expect(fixture.lines).toEqual([])
  })

  test('need their permission, and a larger one includes a smaller', async () => {
    const fixture = new Fixture()
    const asked = fixture.call('thing.change', { how: 'well' }, 'read')
    await expect(asked).rejects.toMatchObject({ code: 'ERR_OPERATION_DENIED' })
    expect(await fixture.call('thing.change', { how: 'well' }, 'recover')).toEqual({
      changed: true,
    })
    expect(await fixture.call('look', {}, 'recover')).toEqual({ seen: 'all' })
  })

  test('that change something are in the journal, with their steps and their end', async () => {
    const fixture = new Fixture()
    await fixture.call('look')
    await fixture.call('thing.change', { how: 'well' })
    await expect(fixture.call('thing.change', { how: 'badly' })).rejects.toThrow('it broke')
    expect(fixture.lines).toEqual([
      ['begun', 'azure', { how: 'well' }],
      ['step', 'azure', 'changing it well'],
      ['done', 'azure', { changed: true }],
      ['begun', 'azure', { how: 'badly' }],
      ['step', 'azure', 'changing it badly'],
      ['failed', 'azure', { code: 'ERR_UNEXPECTED', message: 'it broke' }],
    ])
    expect(fixture.steps).toEqual(['changing it well', 'changing it badly'])
  })

  test('are cancelled by a signal, and are not begun once it is given', async () => {
    const fixture = new Fixture()
    const cancelled = AbortSignal.abort(new Error('cancelled'))
    const asked = fixture.call('thing.change', { how: 'well' }, 'operate', cancelled)
    await expect(asked).rejects.toThrow('cancelled')
    expect(fixture.steps).toEqual([])
  })

  test('are bounded in number, and those that read keep no other away', async () => {
    const fixture = new Fixture()
    const looks = Array.from({ length: 16 }, () => fixture.call('look', { at: 'slowly' }))
    const busy = { code: 'ERR_OPERATION_BUSY', retryable: true }
    await expect(fixture.call('look')).rejects.toMatchObject(busy)
    expect(await fixture.call('thing.change', { how: 'well' })).toEqual({ changed: true })
    const slow = Array.from({ length: 16 }, () => fixture.call('thing.change', { how: 'slowly' }))
    await expect(fixture.call('thing.change', { how: 'well' })).rejects.toMatchObject(busy)
    going.resolve()
    await Promise.all([...looks, ...slow])
    expect(await fixture.call('look')).toEqual({ seen: 'all' })
  })

  test('keep secrets out of the journal, and what was done is done', async () => {
    const { journal } = new Fixture()
    const operation = defineOperation({
      name: 'thing.attach',
      summary: 'attach something',
      permission: 'operate',
      input: z.strictObject({ user: z.string(), password: z.string().meta(SECRET) }),
      output: z.strictObject({ token: z.string().meta(SECRET), count: z.number().max(1) }),
      run: ({ password }) => ({ token: password, count: 2 }),
    })
    const table = new OperationTable([operation], journal)
    const progress = () => undefined
    const { signal } = new AbortController()
    const input = { user: 'u', password: 'hunter2' }
    const request = { name: 'thing.attach', input, granted: 'operate', caller: 'socket' } as const
    // Its output does not fit: a defect of the program, but it was done.
    await expect(table.call({ ...request, progress, signal })).rejects.toThrow()
    const lines = journal.entries(9)
    expect(lines.map(({ phase }) => phase)).toEqual(['begun', 'done'])
    expect(JSON.stringify(lines)).not.toContain('hunter2')
    expect(lines.map(({ detail }) => detail)).toEqual([
      { user: 'u', password: '[secret]' },
      { token: '[secret]', count: 2 },
    ])
  })

  test('are waited for until their end is in the journal', async () => {
    const fixture = new Fixture()
    const slow = fixture.call('thing.change', { how: 'slowly' })
    await fixture.table.settled()
    expect(fixture.lines.at(-1)).toEqual(['done', 'azure', { changed: true }])
    await slow
  })

  test('have one name each', () => {
    const { journal } = new Fixture()
    expect(() => new OperationTable([look, look], journal)).toThrow('a name stands twice')
  })

  test('describe themselves as OpenAPI', () => {
    expect(openApiOf([look, change], '1.2.3')).toMatchObject({
      openapi: '3.1.0',
      info: { version: '1.2.3' },
      paths: {
        '/v1/operations/look': {
          post: {
            operationId: 'look',
            'x-permission': 'read',
            requestBody: {
              content: {
                'application/json': {
                  schema: { properties: { at: { type: 'string', maxLength: 9 } } },
                },
              },
            },
            responses: {
              200: {
                content: {
                  'application/json': {
                    schema: {
                      properties: { output: { properties: { seen: { type: 'string' } } } },
                    },
                  },
                },
              },
              default: {
                content: {
                  'application/json': {
                    schema: { properties: { error: { properties: { code: { type: 'string' } } } } },
                  },
                },
              },
            },
          },
        },
        '/v1/operations/thing.change': { post: { 'x-permission': 'operate' } },
      },
    })
  })
})
