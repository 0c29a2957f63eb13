import { LinkClient } from '../link/link-client.ts'
import type { LinkServer } from '../link/link-server.ts'
import type { RefusedStatus } from '../status/status.ts'
import { DrStream } from './dr-stream.ts'
import type { ProductionStream } from './production-stream.ts'

/** What every door of this gateway turned away. */
export function refusedBy(
  link: LinkClient | LinkServer,
  streams: readonly (ProductionStream | DrStream)[],
): RefusedStatus[] {
  const atLink = link instanceof LinkClient ? [] : link.refused()
  return [
    ...atLink.map((refused) => ({ where: 'link', ...refused })),
    ...streams.flatMap((stream) => {
      if (!(stream instanceof DrStream)) return []
      const atRelay = stream.relay?.status().refused ?? []
      return atRelay.map((refused) => ({ where: `relay:${stream.name}`, ...refused }))
    }),
  ]
}
