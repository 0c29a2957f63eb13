import { z } from 'zod'
import type { Operation } from '../base/operation.ts'

const ERROR = {
  type: 'object',
  required: ['code', 'message'],
  properties: {
    code: { type: 'string', description: 'An error code of ERRORS.md' },
    message: { type: 'string' },
    remedy: { type: 'string' },
    retryable: { type: 'boolean', description: 'Whether asking again later can help' },
    details: { type: 'object' },
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
      200: {
        description: 'It was done.',
        content: json(wrapped('output', z.toJSONSchema(output))),
      },
      default: { description: 'It was not done.', content: json(wrapped('error', ERROR)) },
    },
  }
}

function wrapped(name: string, schema: object): object {
  return { type: 'object', required: [name], properties: { [name]: schema } }
}

function json(schema: object): object {
  return { 'application/json': { schema } }
}
