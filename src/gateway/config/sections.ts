import { adminSection } from '../../api/admin-section.ts'
import { pageSection } from '../../api/page/page-section.ts'
import { databaseSection } from '../../database/database-section.ts'
import { identitySection } from '../../keys/identity-section.ts'
import { linkSection } from '../../link/link-section.ts'
import { alertsSection } from '../../observe/alerts-section.ts'
import { logSection } from '../../observe/log-section.ts'
import { metricsSection } from '../../observe/metrics-section.ts'
import { lagSection } from '../../progress/lag-section.ts'
import { throttleSection } from '../../progress/throttle-section.ts'
import { relaySection } from '../../relay/relay-section.ts'
import { spoolSection } from '../../spool/spool-section.ts'
import { tunnelSection } from '../../tunnel/tunnel-section.ts'

/*
 * What a gateway file can have, in the order in which `init` writes it. Whoever adds a part to the
 * program adds its section here; all else of it is in its own folder.
 */

export const SECTIONS = {
  identity: identitySection,
  tunnel: tunnelSection,
  link: linkSection,
  admin: adminSection,
  page: pageSection,
  metrics: metricsSection,
  alerts: alertsSection,
  log: logSection,
} as const

export const STREAM_SECTIONS = {
  database: databaseSection,
  throttle: throttleSection,
  spool: spoolSection,
  relay: relaySection,
  lag: lagSection,
} as const
