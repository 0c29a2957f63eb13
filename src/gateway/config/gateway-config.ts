import type { PeerConfig } from '../../config/peer-file.ts'
import type { Loaded } from '../../config/section.ts'
import type { SECTIONS, STREAM_SECTIONS } from './sections.ts'

/**
 * The configuration of one gateway as the rest of the program sees it: read once, checked whole,
 * frozen. Paths are absolute, sizes are bytes, durations are milliseconds, files of keys and
 * certificates are already read. What is absent is null. Each section is described by the part of
 * the program that it belongs to.
 */
export interface GatewayConfig extends Loaded<typeof SECTIONS> {
  /** The file this was read from. */
  readonly path: string
  readonly name: string
  /** Name of the place where this gateway is; its role is a fact of each stream. */
  readonly site: string
  readonly dataDir: string
  /** The public half of this gateway, as its own peer file says. */
  readonly self: PeerConfig
  /** The public halves of the gateways that this one knows; at least one. */
  readonly peers: readonly PeerConfig[]
  readonly streams: readonly StreamConfig[]
}

export interface StreamConfig extends Loaded<typeof STREAM_SECTIONS> {
  readonly name: string
  /** The site that is origin in the first term; later terms come from operations of recovery. */
  readonly origin: string
}
