/*
 * The public API. What is exported here keeps its meaning between minor versions; everything else
 * of the package may change at any time, and `exports` in package.json lets nobody reach it.
 *
 *     import { createGateway, createLog, loadConfig } from 'landbridge'
 *
 *     const config = await loadConfig('gateway/ec2.yaml')
 *     const log = createLog({ level: config.log.level, name: config.name })
 *     const gateway = await createGateway(config, { log })
 *     await gateway.run(signal)             // settles when all sockets and files are closed
 *
 *     for await (const { file, offset, bytes } of followSource(options, { signal })) {
 *       framer.push(bytes, 0, bytes.length) // an EventFramer finds the events in them
 *     }
 */

// biome-ignore-all assist/source/organizeImports: in the order in which a reader needs them

// A gateway inside a program of one's own, and what it says of itself.
export { createGateway, type Gateway, type GatewayDependencies } from './gateway.ts'
export type { GatewayConfig, StreamConfig } from './gateway/config/gateway-config.ts'
export type { HostPort, SubnetAddress, TransportPort } from './config/address.ts'
export type { PeerConfig } from './config/peer-file.ts'
export type { IdentityConfig } from './keys/identity-section.ts'
export type { TunnelConfig, WireguardTunnelConfig } from './tunnel/tunnel-section.ts'
export type { LinkConfig } from './link/link-section.ts'
export type { DatabaseConfig, SiteDatabaseConfig } from './database/database-section.ts'
export type { DatabaseTlsConfig } from './database/database-tls.ts'
export type { ThrottleConfig } from './progress/throttle-section.ts'
export type { SpoolConfig } from './spool/spool-section.ts'
export type { RelayConfig } from './relay/relay-section.ts'
export type { AdminConfig } from './api/admin-section.ts'
export type { MetricsConfig } from './observe/metrics-section.ts'
export type { LogConfig, LogLevel } from './observe/log-section.ts'
export { type LoadConfigOptions, loadConfig } from './gateway/config/load-config.ts'
export type * from './status/status.ts'

// The raw binlog of a source, and the finished files of a spool on this machine.
export { type FollowSourceOptions, followSource, type RawBytes } from './source/follow-source.ts'
export type { PreflightFinding } from './source/preflight.ts'
export type { SourceAddress } from './source/source-connection.ts'
export type { HeldState } from './source/start-plan.ts'
export { type ClosedFile, listClosedFiles } from './spool/closed-files.ts'

// The language of binlogs.
export {
  EventFramer,
  type EventFramerOptions,
  type EventHeader,
  type EventVisitor,
} from './binlog/event-framer.ts'
export { BINLOG_MAGIC, EventFlag, EventType } from './binlog/event-type.ts'
export { type GtidSet, parseGtidSet } from './binlog/gtid-set.ts'

// What the rest takes and throws.
export { isLandbridgeError, LandbridgeError, type LandbridgeErrorOptions } from './base/errors.ts'
export { Secret } from './base/secret.ts'
export type { Clock } from './base/clock.ts'
export type { Flavor } from './base/flavor.ts'
export { type Log, silentLog } from './base/log.ts'
export { type CreateLogOptions, createLog } from './observe/log.ts'
export { packageVersion } from './base/version.ts'

/*
 * Not exported, on purpose:
 *
 * - the stations (link, relay, tunnel, spool writer): they are joined by the gateway alone, and
 *   their small interfaces change with it. A spool has one writer; a second one would lose data.
 * - `Spool`: loading one takes its lock and cuts its tail. `listClosedFiles` only looks. What is
 *   still being written is served, as far as it is synced, by the gateway's relay.
 * - SourceReader, DumpDecoder: they hand out ranges of a borrowed buffer; `followSource` copies.
 * - decoded events: they will get an entry of their own, with types for rows.
 * - codecs of MySQL packets, SQL of replicas, tunnel back ends: other libraries do these well.
 */
