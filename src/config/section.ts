import type { Secret } from '../base/secret.ts'
import type { HostPort } from './address.ts'
import type { GatewayTemplate } from './gateway-template.ts'
import type { PeerConfig } from './peer-file.ts'
import type { Problems } from './problem.ts'
import type { ConfigFiles } from './secret-file.ts'

/*
 * A gateway file is made of sections. Each belongs to one part of the program, whose folder brings
 * all of it: its settings, how they are read, what of them clashes, and the lines that `init`
 * writes. A section is read by itself, so that a mistake in one does not hide those in the others.
 */

/** What a section may need to know besides what it says itself. */
export interface SectionContext {
  readonly site: string | null
  /** Absolute. Null: the file has none that can be used. */
  readonly dataDir: string | null
  readonly files: ConfigFiles
  /** The public half of this gateway; null when its file cannot be used. */
  readonly self: PeerConfig | null
  /** All other gateways that can be looked for. */
  readonly peerNames: readonly string[]
  /** Those of them whose files can be used. */
  readonly peers: readonly PeerConfig[]
  readonly problems: Problems
}

/** Where this gateway accepts connections, and the setting that says so. */
export interface Listener {
  readonly path: string
  readonly at: HostPort
}

export interface ConfigSection<Value> {
  /**
   * The value of the section; `raw` is undefined where the file does not have it. Returns undefined
   * after its problems have been added. A value is frozen later: paths are absolute, sizes are
   * bytes, durations are milliseconds, files that it names are already read.
   */
  load(raw: unknown, context: SectionContext): Value | undefined | Promise<Value | undefined>
  listeners?(value: Value, context: SectionContext): readonly Listener[]
  /** The lines that `init` writes of it. */
  template(gateway: GatewayTemplate): readonly string[]
}

/** Certificate and key of this gateway; null when they cannot be used. */
export interface OwnCertificate {
  readonly certificatePem: string
  readonly privateKeyPem: Secret
}

export interface StreamContext extends SectionContext {
  readonly stream: { readonly name: string; readonly origin: string }
  readonly identity: OwnCertificate | null
  /** Of the section: `streams[0].relay`. */
  readonly where: string
}

/** One stream's value of a section, for checks over all streams. */
export interface OfStream<Value> {
  readonly stream: string
  /** Of the stream: `streams[0]`. */
  readonly place: string
  /** Of the section: `streams[0].relay`. */
  readonly where: string
  readonly value: Value
}

/** A section of each stream. */
export interface StreamSection<Value> {
  /** As `ConfigSection.load`. */
  load(raw: unknown, context: StreamContext): Value | undefined | Promise<Value | undefined>
  /** What clashes between streams; the problems are added. */
  check?(all: readonly OfStream<Value>[], context: SectionContext): void
  listeners?(value: Value, where: string): readonly Listener[]
  /** As `ConfigSection.template`, without the margin of a stream's settings. */
  template(gateway: GatewayTemplate): readonly string[]
}

export type Sections = Readonly<Record<string, ConfigSection<unknown>>>
export type StreamSections = Readonly<Record<string, StreamSection<unknown>>>

/** What the sections of a file make together. */
export type Loaded<Of extends Sections | StreamSections> = {
  readonly [Name in keyof Of]: Of[Name] extends { load(...given: never): infer Result }
    ? Exclude<Awaited<Result>, undefined>
    : never
}

/** One stream as far as it could be read. */
export interface LoadedStream<Of extends StreamSections> {
  readonly name: string
  readonly origin: string
  /** `streams[0]` */
  readonly where: string
  readonly sections: Partial<Loaded<Of>>
}

/** Reads the sections one after the other: problems come in the order of the file. */
export async function loadSections<Of extends Sections>(
  sections: Of,
  raw: Readonly<Record<string, unknown>>,
  context: SectionContext,
): Promise<Partial<Loaded<Of>>> {
  const loaded: Record<string, unknown> = {}
  for (const [name, section] of Object.entries(sections)) {
    loaded[name] = await section.load(raw[name], context)
  }
  return loaded as Partial<Loaded<Of>>
}

/** As `loadSections`, of one stream; `where` in the context is the stream's own. */
export async function loadStreamSections<Of extends StreamSections>(
  sections: Of,
  raw: Readonly<Record<string, unknown>>,
  context: StreamContext,
): Promise<Partial<Loaded<Of>>> {
  const loaded: Record<string, unknown> = {}
  for (const [name, section] of Object.entries(sections)) {
    const where = `${context.where}.${name}`
    loaded[name] = await section.load(raw[name], { ...context, where })
  }
  return loaded as Partial<Loaded<Of>>
}

/** Adds what clashes between the streams. */
export function checkStreamSections<Of extends StreamSections>(
  sections: Of,
  streams: readonly LoadedStream<Of>[],
  context: SectionContext,
): void {
  for (const [name, section] of Object.entries(sections)) {
    const all = streams.flatMap((stream) => {
      const value: unknown = stream.sections[name]
      const { name: of, where: place } = stream
      const where = `${place}.${name}`
      return value === undefined ? [] : [{ stream: of, place, where, value }]
    })
    section.check?.(all, context)
  }
}

export function listenersOf<Of extends Sections>(
  sections: Of,
  values: Partial<Loaded<Of>>,
  context: SectionContext,
): Listener[] {
  return Object.entries(sections).flatMap(([name, section]) => {
    const value: unknown = values[name]
    return value === undefined ? [] : (section.listeners?.(value, context) ?? [])
  })
}

export function streamListenersOf<Of extends StreamSections>(
  sections: Of,
  streams: readonly LoadedStream<Of>[],
): Listener[] {
  return streams.flatMap((stream) =>
    Object.entries(sections).flatMap(([name, section]) => {
      const value: unknown = stream.sections[name]
      if (value === undefined) return []
      return section.listeners?.(value, `${stream.where}.${name}`) ?? []
    }),
  )
}
