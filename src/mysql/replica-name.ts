/** Who a replica says it is. */
export interface ReplicaName {
  readonly serverId: number
  readonly serverUuid: string | null
}

/** How every part of the gateway names it: two servers may have one server_id by mistake. */
export function replicaKey({ serverUuid, serverId }: ReplicaName): string {
  return serverUuid ?? `id:${serverId}`
}
