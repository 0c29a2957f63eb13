import type { RelayAddress } from '../database/replica-connection.ts'
import type { RelayConfig } from '../relay/relay-section.ts'
import type { StreamIdentity } from './stream-identity.ts'

/** By what a replica's connection to this relay is known. No identity before the first run. */
export function relayAddress(
  relay: RelayConfig,
  identity: Pick<StreamIdentity, 'relay'> | null,
  host: string | null = null,
): RelayAddress {
  return {
    // Where it listens is not where replicas find it: there may be a name, or a translation.
    host,
    port: relay.listen.port,
    user: relay.user,
    serverId: relay.serverId ?? identity?.relay.serverId ?? null,
    serverUuid: identity?.relay.uuid ?? null,
  }
}
