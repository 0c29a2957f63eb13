import { expect, test } from 'vitest'
import { z } from 'zod'
import { ownOperations } from '../../../src/api/own-operations.ts'
import { statusJsonSchema, statusSchema } from '../../../src/status/status-schema.ts'
import { fullStatus } from '../../helpers/observe/full-export.ts'
import { drStatus, productionStatus } from '../../helpers/status/status-fixture.ts'

const unhealthy = {
  ...drStatus,
  state: 'blocked',
  problems: [{ ...fullStatus.problems[0], severity: 'blocked', remedy: 'Make room.' }],
  streams: drStatus.streams.map((stream) => ({ ...stream, receiveLag: null, spool: null })),
}

test('the JSON Schema of the package is that of the type', async () => {
  const text = `${JSON.stringify(statusJsonSchema(), null, 2)}\n`
  // `npx vitest run test/unit/status/status-schema.test.ts -u` writes it anew.
  await expect(text).toMatchFileSnapshot('../../../src/status/status.schema.json')
})

test.each([
  ['a copy', drStatus],
  ['an origin', productionStatus],
  ['one that is blocked', unhealthy],
])('%s is valid by the schema, which knows every field of it', (_what, status) => {
  const plain: unknown = JSON.parse(JSON.stringify(status))
  expect(statusSchema.parse(plain)).toEqual(plain)
  // By the text alone, as somebody else would read it.
  expect(
    z.fromJSONSchema(JSON.parse(JSON.stringify(statusJsonSchema()))).safeParse(plain),
  ).toMatchObject({ success: true })
})

test('the schema refuses what is no status, and lets fields be that were added', () => {
  const fromText = z.fromJSONSchema(JSON.parse(JSON.stringify(statusJsonSchema())))
  const { streams: _left, ...without } = drStatus
  for (const wrong of [without, { ...drStatus, state: 'fine' }, { ...drStatus, schema: 1 }]) {
    expect(fromText.safeParse(wrong).success).toBe(false)
    expect(statusSchema.safeParse(wrong).success).toBe(false)
  }
  expect(fromText.safeParse({ ...drStatus, added: 1 }).success).toBe(true)
})

test('the operation says the same of its output', () => {
  const status = ownOperations(() => drStatus).find(({ name }) => name === 'status')
  const described = z.toJSONSchema(status?.output ?? z.never())
  const { properties, required } = statusJsonSchema()
  expect(described).toMatchObject({ type: 'object', properties, required })
})
