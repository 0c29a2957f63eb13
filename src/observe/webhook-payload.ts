import type { Alert } from './alert.ts'

/** One alert in a message; `endsAtMs` null: it still fires. */
export interface ToldAlert extends Alert {
  readonly endsAtMs: number | null
}

/** In Go no time at all, which is what Alertmanager writes for what has not ended. */
const NEVER = '0001-01-01T00:00:00Z'

/** The body of a webhook of Alertmanager, version 4. One group: the alerts of this gateway. */
export function webhookPayload(
  gateway: string,
  alerts: readonly ToldAlert[],
  truncatedAlerts: number,
): object {
  const isFiring = alerts.some(({ endsAtMs }) => endsAtMs === null)
  return {
    version: '4',
    groupKey: `{}:{gateway=${JSON.stringify(gateway)}}`,
    truncatedAlerts,
    status: isFiring ? 'firing' : 'resolved',
    receiver: 'landbridge',
    groupLabels: { gateway },
    commonLabels: common(alerts.map(({ labels }) => labels)),
    commonAnnotations: common(alerts.map(({ annotations }) => annotations)),
    externalURL: '',
    alerts: alerts.map(({ labels, annotations, startsAtMs, endsAtMs, fingerprint }) => ({
      status: endsAtMs === null ? 'firing' : 'resolved',
      labels,
      annotations,
      startsAt: new Date(startsAtMs).toISOString(),
      endsAt: endsAtMs === null ? NEVER : new Date(endsAtMs).toISOString(),
      generatorURL: '',
      fingerprint,
    })),
  }
}

function common(sets: readonly Readonly<Record<string, string>>[]): Record<string, string> {
  const [first = {}, ...others] = sets
  const shared = Object.entries(first).filter(([name, value]) => {
    return others.every((set) => set[name] === value)
  })
  return Object.fromEntries(shared)
}
