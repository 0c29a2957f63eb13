import { X509Certificate } from 'node:crypto'
import type { Problem } from '../status/status.ts'

const DAY_MS = 86_400_000
/** So many days before the end it is told, and told anew: a new time since when. */
const TOLD_DAYS = [1, 7, 30]

interface Ending {
  /** Label of the metric. */
  readonly of: 'own' | 'authority'
  readonly what: string
  readonly endsMs: number
  readonly remedy: string
}

/** As much of a sheet of metrics as is written to. */
export interface Gauges {
  gauge(name: string, help: string, value: number, labels: Readonly<Record<string, string>>): void
}

/** Tells in time that a certificate of this gateway ends, and with it the link. */
export class CertificateExpiry {
  readonly #endings: readonly Ending[]

  constructor(identity: { readonly certificatePem: string; readonly authorityPem: string }) {
    this.#endings = [
      {
        of: 'own',
        what: 'certificate of this gateway',
        endsMs: endOf(identity.certificatePem),
        remedy: 'landbridge init --renew where certs/ca.key is; bring the new certificate here',
      },
      {
        of: 'authority',
        what: 'certificate of the pair’s authority',
        endsMs: endOf(identity.authorityPem),
        remedy: 'make a new pair of identities with landbridge init, on both gateways',
      },
    ]
  }

  problems({ nowMs }: { readonly nowMs: number }): Problem[] {
    return this.#endings.flatMap((ending) => problemOf(ending, nowMs) ?? [])
  }

  metrics(sheet: Gauges): void {
    const help = 'Unix time from which on no link can be made with it'
    for (const { of, endsMs } of this.#endings) {
      const name = 'landbridge_certificate_expiry_timestamp_seconds'
      sheet.gauge(name, help, endsMs / 1000, { certificate: of })
    }
  }
}

function problemOf({ what, endsMs, remedy }: Ending, nowMs: number): Problem | null {
  const daysLeft = (endsMs - nowMs) / DAY_MS
  const told = TOLD_DAYS.find((days) => daysLeft <= days)
  if (told === undefined) return null
  const on = new Date(endsMs).toISOString()
  const isOver = daysLeft <= 0
  return {
    code: 'ERR_CERTIFICATE_EXPIRY',
    severity: told === 1 ? 'error' : 'warning',
    where: 'identity',
    message: isOver
      ? `the ${what} ended on ${on}: no new link can be made`
      : `the ${what} ends in ${Math.ceil(daysLeft)} days or less, on ${on}`,
    remedy,
    sinceMs: isOver ? endsMs : endsMs - told * DAY_MS,
  }
}

function endOf(pem: string): number {
  return new X509Certificate(pem).validToDate.getTime()
}
