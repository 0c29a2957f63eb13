import { readFile, writeFile } from 'node:fs/promises'
import { parseDocument } from 'yaml'
import type { LoopbackPair } from './loopback-pair.ts'

/** As an operator would: another `throttle` in the production gateway's config, read at start. */
export async function editThrottle(pair: LoopbackPair, throttle: object): Promise<void> {
  const path = pair.configPath('production')
  const config = parseDocument(await readFile(path, 'utf8'))
  config.setIn(['streams', 0, 'throttle'], throttle)
  await writeFile(path, config.toString())
}
