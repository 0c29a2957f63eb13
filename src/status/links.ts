import type { LinkStatus, StreamStatus } from './status.ts'

/** The sessions over which a stream goes in the terms of now. */
export function linksOfStream(
  links: readonly LinkStatus[],
  stream: Pick<StreamStatus, 'name'>,
): LinkStatus[] {
  return links.filter(({ carries }) => carries.includes(stream.name))
}

/** Names of the peers, each once, in the order of the links. */
export function peersOf(links: readonly LinkStatus[]): string[] {
  return [...new Set(links.map(({ peer }) => peer))]
}

/**
 * Of each peer the session that counts: the worst of those that carry streams, and where none does
 * the best of the two.
 */
export function mainLinks(links: readonly LinkStatus[]): LinkStatus[] {
  return peersOf(links).flatMap((peer) => {
    const all = links.filter((link) => link.peer === peer)
    const carrying = all.filter(({ carries }) => carries.length > 0)
    const [isWanted, of] =
      carrying.length > 0 ? [(link: LinkStatus) => !isUp(link), carrying] : [isUp, all]
    const main = of.find(isWanted) ?? of[0]
    return main === undefined ? [] : [main]
  })
}

/** The only session, or the one that counts, of the only peer; null where there are several. */
export function onlyLink(links: readonly LinkStatus[]): LinkStatus | null {
  const [main, ...others] = mainLinks(links)
  return others.length === 0 ? (main ?? null) : null
}

export function isUp({ state }: LinkStatus): boolean {
  return state === 'up'
}
