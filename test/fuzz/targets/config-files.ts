import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { isLandbridgeError } from '../../../src/base/errors.ts'
import { loadConfig } from '../../../src/gateway/config/load-config.ts'
import { PairFolder } from '../../helpers/pair/pair-folder.ts'
import type { FuzzTarget } from '../engine/target.ts'
import { takeFlags, withFlags } from '../input/flags.ts'

/** Which file holds the input, and which gateway's configuration is then loaded. */
const PLACES = [
  { file: 'gateway/azure.yaml', load: 'gateway/azure.yaml' },
  { file: 'gateway/ec2.yaml', load: 'gateway/ec2.yaml' },
  { file: 'peers/azure.yaml', load: 'gateway/azure.yaml' },
  { file: 'peers/ec2.yaml', load: 'gateway/azure.yaml' },
] as const

const STRANGE = [
  'a: &x [*x]',
  'name: *nowhere',
  'a: &a [b, b]\nb: &b [*a, *a, *a]\nc: &c [*b, *b, *b]\nd: [*c, *c, *c]',
  '? {a: 1}\n: {b: 2}',
  '!!binary aGVsbG8=',
  '<<: {name: azure}\nname: !!set {a, b}',
  '--- one\n--- two',
  '%YAML 1.1\n---\non: off\n',
]

/** A file of settings is good, or all that is wrong with it is named. */
async function run(
  input: Buffer,
  pair: PairFolder,
  good: ReadonlyMap<string, Buffer>,
): Promise<void> {
  const { flags, bytes } = takeFlags(input)
  const { file, load } = PLACES[flags % PLACES.length] ?? PLACES[0]
  await writeFile(pair.at(file), bytes)
  try {
    const config = await loadConfig(pair.at(load), { env: {} })
    assert(Object.isFrozen(config) && config.streams.length > 0)
  } catch (error) {
    if (!isLandbridgeError(error)) throw error
    assert.equal(error.code, 'ERR_CONFIG')
    assert(Array.isArray(error.details.problems) && error.details.problems.length > 0)
  } finally {
    await writeFile(pair.at(file), good.get(file) ?? '')
  }
}

export const createTarget = async (): Promise<FuzzTarget> => {
  const pair = await PairFolder.create()
  await writeFile(pair.at('certs/azure/relay.password'), 'secret', { mode: 0o600 })
  const good = new Map<string, Buffer>()
  for (const { file } of PLACES) good.set(file, await readFile(pair.at(file)))
  return {
    inputBytesMax: 2500,
    seeds: PLACES.flatMap(({ file }, flags) =>
      [good.get(file) ?? '', ...STRANGE].map((text) => withFlags(flags, Buffer.from(text))),
    ),
    tokens: ['&a', '*a', '<<: ', '!!set', '!!omap', '- ', ': ', '\n  ', '{', '[', '"', '|\n', '? '],
    run: (input) => run(input, pair, good),
    close: async () => await pair[Symbol.asyncDispose](),
  }
}
