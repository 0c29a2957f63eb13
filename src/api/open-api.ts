import { z } from 'zod'
import type { Operation } from './operation.ts'

const ERROR = {
  type: 'object',
  required: ['code', 'message'],
  properties: {
    code: { type: 'string', description: 'An error code of ERRORS.md' },
    message: { type: 'string' },
    remedy: { type: 'string' },
  },
}

/** An OpenAPI 3.1 description of `POST /v1/operations/NAME`, generated from the table. */
export function openApiOf(operations: readonly Operation[], version: string): object {
  const paths = operations.map((operation) => [
    `/v1/operations/${operation.name}`,
    { post: describe(operation) },
  ])
  return {
    openapi: '3.1.0',
    info: {
      title: 'landbridge gateway',
      version,
      description:
        'Served on the admin sockets. `read` is granted to whoever may open the first one, the ' +
        'rest to whoever may open NAME.operate.sock.',
    },
    paths: Object.fromEntries(paths),
  }
}

function describe({ name, summary, permission, input, output }: Operation): object {
  return {
    operationId: name,
    summary,
    'x-permission': permission,
    requestBody: { content: json(z.toJSONSchema(input, { io: 'input' })) },
    responses: {
      200: { description: 'It was done.', content: json(z.toJSONSchema(output)) },
      default: { description: 'It was not done.', content: json(ERROR) },
    },
  }
}

function json(schema: object): object {
  return { 'application/json': { schema } }
}
