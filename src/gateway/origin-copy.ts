import type { Clock } from '../base/clock.ts'
import { LandbridgeError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { formatHostPort } from '../config/address.ts'
import type { PeerConfig } from '../config/peer-file.ts'
import type { SiteDatabaseConfig } from '../database/database-section.ts'
import type { ByteThrottle } from '../link/frame-target.ts'
import type { LinkConfig } from '../link/link-section.ts'
import type { Sample } from '../link/messages.ts'
import type { OpenedSource, SourcePort } from '../link/source-port.ts'
import { StreamSender } from '../link/stream-sender.ts'
import type { ConnectAttempts } from '../mysql/connect-attempts.ts'
import type { SourceMonitor } from '../source/source-monitor.ts'
import { SourceReader } from '../source/source-reader.ts'
import type { SourceWarnings } from '../source/source-warnings.ts'
import type { CopyStatus, ThrottleStatus } from '../status/status.ts'
import type { SharedWatch } from './shared-watch.ts'
import type { ServerIdentity } from './stream-identity.ts'

/** A gateway that may ask for the stream. */
export type CopyPeer = Pick<PeerConfig, 'name' | 'site'>

export interface OriginCopyOptions {
  /** For whom it is. */
  readonly peer: CopyPeer
  readonly stream: string
  /** As which gateway the source shows us in its list of replicas. */
  readonly gateway: string
  readonly database: SiteDatabaseConfig
  readonly link: LinkConfig
  readonly identity: ServerIdentity
  /** Of the source's server, shared with every stream that has the same. */
  readonly attempts: ConnectAttempts
  /** Of all copies together. */
  readonly throttle: ByteThrottle
  readonly toldThrottle: () => ThrottleStatus
  readonly monitor: Pick<SourceMonitor, 'giveWay' | 'comeBack'>
  readonly watch: SharedWatch
  readonly warnings: SourceWarnings
  readonly clock: Clock
  readonly log: Log
}

/** What a copy gets: a dump of its own, from where its spool ends. */
export class OriginCopy {
  readonly peer: CopyPeer
  readonly reader: SourceReader
  readonly sender: StreamSender

  constructor(options: OriginCopyOptions) {
    const { peer, stream, link, throttle, toldThrottle, clock, log } = options
    this.peer = peer
    this.reader = createReader(options)
    this.sender = new StreamSender({
      name: stream,
      source: createPort(options, this.reader),
      ...{ throttle, toldThrottle },
      compression: link.compression,
      windowBytes: link.windowBytes,
      clock,
      log,
    })
  }

  status(): CopyStatus {
    const { name, site } = this.peer
    const { state, sentBytes, inFlightBytes } = this.sender.status()
    return { peer: name, site, state, sentBytes, inFlightBytes }
  }
}

function createReader(options: OriginCopyOptions): SourceReader {
  const { database, identity, gateway, attempts, monitor, warnings, clock, log } = options
  return new SourceReader({
    address: { ...database, attempts },
    serverId: identity.serverId,
    replicaUuid: identity.uuid,
    reportHost: gateway,
    clock,
    log,
    onPreflight: (findings) => warnings.take(findings),
    onInspection: (findings) => warnings.foresee(findings),
    onCrowded: () => monitor.giveWay(),
    onConnected: () => monitor.comeBack(),
  })
}

function createPort(options: OriginCopyOptions, reader: SourceReader): SourcePort {
  const { stream, database, watch } = options
  return {
    host: formatHostPort(database),
    async open(held, signal): Promise<OpenedSource> {
      const { facts, plan, run } = await reader.open(held, signal)
      if (database.flavor !== 'auto' && database.flavor !== facts.flavor) {
        throw new LandbridgeError(
          'ERR_SOURCE_FLAVOR',
          `the source is ${facts.flavor}, the configuration says ${database.flavor}`,
          { remedy: `Set the database.flavor of stream ${stream} to auto or ${facts.flavor}.` },
        )
      }
      const { flavor, serverVersion, serverId, serverUuid, gtidDomainId } = facts
      const identified = { flavor, serverVersion, serverId, serverUuid, gtidDomainId }
      const { newEpoch, gtids } = plan
      return { source: identified, newEpoch: newEpoch && { ...newEpoch, gtidsBefore: gtids }, run }
    },
    async watch(onSample, signal): Promise<void> {
      const take = (sample: Sample): void => {
        const { file, offset } = sample
        if (file !== null && offset !== null) reader.seen({ file, offset })
        onSample(sample)
      }
      await watch.join(take, signal)
    },
  }
}
