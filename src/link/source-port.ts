import type { Open, Resume, Sample } from './messages.ts'

/** Takes the bytes of a dump as ranges of received chunks; says when it cannot take more. */
export interface ByteTarget {
  accepted(): void
  file(name: string, offset: number): void
  bytes(chunk: Buffer, start: number, end: number): void
  chunkEnd(): void
  readonly hasRoom: boolean
  room(signal: AbortSignal): Promise<void>
}

export interface OpenedSource {
  readonly source: Open['source']
  readonly newEpoch: Open['newEpoch']
  /** Streams into `target`; always rejects, once its connection is closed. */
  run(target: ByteTarget, signal: AbortSignal): Promise<never>
}

/** What the sender needs of a source. The source station has it; gateway.ts joins them. */
export interface SourcePort {
  /** For people: host and port. */
  readonly host: string
  open(held: Resume['held'], signal: AbortSignal): Promise<OpenedSource>
  /** Calls `onSample` about once a second while the source answers. Settles on abort. */
  watch(onSample: (sample: Sample) => void, signal: AbortSignal): Promise<void>
}

/** What the receiver needs of a spool. */
export interface SpoolPort {
  /** Drops what is not synced and says what is held. */
  rewind(): Promise<Resume['held']>
  /** May have to wait for room on the disk; rejects once `signal` is aborted. */
  beginEpoch(
    beginning: NonNullable<Open['newEpoch']> & Pick<Open, 'source'>,
    options: { readonly signal: AbortSignal },
  ): Promise<void>
  /** The lineage goes on; what its server says of itself may have changed, as by an upgrade. */
  renewSource(source: Open['source']): Promise<void>
  beginFile(name: string, offset: number): void
  /** Calls `written` once it needs `bytes` no more; not when they were dropped. */
  append(offset: number, bytes: Buffer, readAtMs: number, written?: () => void): void
}
