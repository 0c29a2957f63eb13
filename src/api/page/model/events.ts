/** What was done or happened at a gateway, as the operation `events` tells it. */
export interface EventRow {
  readonly key: string
  readonly atMs: number
  readonly gateway: string
  readonly kind: string
  readonly who: string
  readonly what: string
  readonly mood: 'good' | 'warn' | 'bad'
}

export interface GatewayEvents {
  readonly gateway: string
  readonly events: readonly unknown[]
}

const MOODS: Readonly<Record<string, EventRow['mood']>> = {
  warning: 'warn',
  error: 'bad',
  blocked: 'bad',
}

/** The newest first, of all gateways. */
export function eventRows(all: readonly GatewayEvents[]): EventRow[] {
  const rows = all.flatMap(({ gateway, events }) => {
    return events.flatMap((raw): EventRow[] => {
      const event = (raw ?? {}) as Readonly<Record<string, unknown>>
      const { id, atMs, severity } = event
      if (typeof id !== 'string' || typeof atMs !== 'number') return []
      const [kind, who, what] = [event.kind, event.who, event.what].map((one) => String(one ?? ''))
      const mood = MOODS[String(severity)] ?? 'good'
      const texts = { kind: kind ?? '', who: who ?? '', what: what ?? '' }
      return [{ key: `${gateway} ${id}`, atMs, gateway, ...texts, mood }]
    })
  })
  return rows.sort((a, b) => b.atMs - a.atMs)
}
