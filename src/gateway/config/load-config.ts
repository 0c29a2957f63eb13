import { dirname, resolve } from 'node:path'
import { configError, Problems } from '../../config/problem.ts'
import { ConfigFiles } from '../../config/secret-file.ts'
import {
  checkStreamSections,
  type Loaded,
  type LoadedStream,
  listenersOf,
  loadSections,
  loadStreamSections,
  type SectionContext,
  streamListenersOf,
} from '../../config/section.ts'
import { readYaml } from '../../config/yaml-file.ts'
import { checkListeners, checkOrigins, checkStreamNames } from './cross-check.ts'
import type { GatewayConfig } from './gateway-config.ts'
import { gatewaySchema, streamSchema } from './gateway-schema.ts'
import { loadGateways } from './gateways.ts'
import { SECTIONS, STREAM_SECTIONS } from './sections.ts'

export interface LoadConfigOptions {
  /** Where `passwordEnv` and CREDENTIALS_DIRECTORY are looked up; the process's own by default. */
  readonly env?: Readonly<Record<string, string | undefined>>
}

type Raw = Readonly<Record<string, unknown>>

/**
 * Reads and checks the file of a gateway with all that it names. Rejects with one ERR_CONFIG whose
 * `details.problems` lists everything that is wrong, so that nobody has to try again and again.
 */
export async function loadConfig(
  path: string,
  options: LoadConfigOptions = {},
): Promise<GatewayConfig> {
  const absolutePath = resolve(path)
  const problems = new Problems()
  const raw = await readYaml(absolutePath, problems)
  const config = raw === undefined ? null : await loadFile(absolutePath, raw, options, problems)
  if (problems.list.length > 0) throw configError(path, problems.list)
  if (config === null) throw new TypeError('nothing was loaded, and no problem was added')
  return deepFreeze(config)
}

/** Null when a problem was added. */
async function loadFile(
  path: string,
  raw: unknown,
  options: LoadConfigOptions,
  problems: Problems,
): Promise<GatewayConfig | null> {
  const directory = dirname(path)
  const top = problems.parse(gatewaySchema, raw, [])
  // A mistake at the top must not hide the rest: go on with what the sections themselves say.
  const given: Raw = typeof raw === 'object' && raw !== null ? { ...raw } : {}
  const context: SectionContext = {
    site: typeof given.site === 'string' ? given.site : null,
    dataDir: typeof given.dataDir === 'string' ? resolve(directory, given.dataDir) : null,
    files: new ConfigFiles({ directory, env: options.env ?? process.env }, problems),
    ...(await loadGateways(directory, top, problems)),
    problems,
  }
  const sections = await loadSections(SECTIONS, given, context)
  const streams = await loadStreams(given.streams, sections, context)
  const { site, peers, peerNames } = context
  // The site of a peer whose file cannot be used may be the one.
  if (top !== null && site !== null && peers.length === peerNames.length) {
    checkOrigins({ site, peers }, streams, problems)
  }
  checkListeners(
    [...listenersOf(SECTIONS, sections, context), ...streamListenersOf(STREAM_SECTIONS, streams)],
    problems,
  )
  const { dataDir, self } = context
  if (top === null || dataDir === null || self === null || problems.list.length > 0) return null
  return {
    path,
    name: top.name,
    site: top.site,
    dataDir,
    self,
    peers,
    streams: streams.map(({ name, origin, sections }) => ({ name, origin, ...complete(sections) })),
    ...complete(sections),
  }
}

async function loadStreams(
  raw: unknown,
  { identity }: Partial<Loaded<typeof SECTIONS>>,
  context: SectionContext,
): Promise<LoadedStream<typeof STREAM_SECTIONS>[]> {
  const { problems } = context
  const streams: LoadedStream<typeof STREAM_SECTIONS>[] = []
  for (const [index, one] of (Array.isArray(raw) ? raw : []).entries()) {
    const where = `streams[${index}]`
    const stream = problems.parse(streamSchema, one, [where])
    if (stream === null) continue
    const { name, origin } = stream
    const own = { ...context, stream: { name, origin }, identity: identity ?? null, where }
    const sections = await loadStreamSections(STREAM_SECTIONS, stream, own)
    streams.push({ name, origin, where, sections })
  }
  checkStreamNames(streams, problems)
  checkStreamSections(STREAM_SECTIONS, streams, context)
  return streams
}

/** Every section has its value where no problem was added. */
function complete<Values extends object>(values: Partial<Values>): Values {
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined) throw new TypeError(`section ${name} has neither value nor problem`)
  }
  return values as Values
}

function deepFreeze<Value extends object>(value: Value): Value {
  for (const part of Object.values(value)) {
    if (typeof part === 'object' && part !== null && !Object.isFrozen(part)) deepFreeze(part)
  }
  return Object.freeze(value)
}
