import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { ignoreMissing, replaceFile } from '../../base/atomic-file.ts'
import { LandbridgeError } from '../../base/errors.ts'
import { PRIVATE_FOLDER_MODE } from '../../base/private-folder.ts'
import { NO_ORDERS, type ThrottleOrders, throttleOrders } from '../../progress/throttle-orders.ts'

const schema = z.object({
  format: z.literal(1),
  stream: z.string(),
  /** In which they were given: what held production back then is not meant for another origin. */
  term: z.int(),
  orders: throttleOrders,
})

export interface OrderPlace {
  readonly dataDir: string
  readonly stream: string
  readonly term: number
}

/**
 * What operators asked of the throttle, in `throttle-STREAM.json` of the data directory. None where
 * the file is of another term. Throws ERR_THROTTLE_FILE.
 */
export async function loadOrders(place: OrderPlace): Promise<ThrottleOrders> {
  const path = orderPath(place)
  try {
    const text = await readFile(path, 'utf8').catch(ignoreMissing)
    if (text === undefined) return NO_ORDERS
    const { term, orders } = schema.parse(JSON.parse(text))
    return term === place.term ? orders : NO_ORDERS
  } catch (cause) {
    throw new LandbridgeError('ERR_THROTTLE_FILE', `${path} is damaged, or cannot be read`, {
      cause: cause instanceof z.ZodError ? new Error(z.prettifyError(cause)) : cause,
      remedy: 'Say anew what is to hold, with `landbridge throttle`: that replaces the file.',
      details: { path },
    })
  }
}

export async function saveOrders(place: OrderPlace, orders: ThrottleOrders): Promise<void> {
  const { dataDir, stream, term } = place
  const content: z.output<typeof schema> = { format: 1, stream, term, orders }
  await mkdir(dataDir, { recursive: true, mode: PRIVATE_FOLDER_MODE })
  await replaceFile(orderPath(place), `${JSON.stringify(content, null, 2)}\n`)
}

function orderPath({ dataDir, stream }: OrderPlace): string {
  return join(dataDir, `throttle-${stream}.json`)
}
