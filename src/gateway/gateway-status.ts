import type { Clock } from '../base/clock.ts'
import { roundNumbers } from '../base/round-numbers.ts'
import { packageVersion } from '../base/version.ts'
import { worstState } from '../status/path-problems.ts'
import { silenceProblems } from '../status/silence-problems.ts'
import { type GatewayStatus, STATUS_SCHEMA } from '../status/status.ts'
import { verdictsOf } from '../status/verdicts.ts'
import type { Capability, StatusParts } from './capability.ts'
import type { GatewayConfig } from './config/gateway-config.ts'

export interface StatusOptions {
  readonly config: Pick<GatewayConfig, 'name' | 'site'>
  readonly capabilities: readonly Capability[]
  readonly shown: () => Pick<StatusParts, 'tunnel' | 'links' | 'streams'>
  readonly clock: Clock
}

/** Puts together what the capabilities say, and judges it. */
export function gatewayStatus(options: StatusOptions): () => GatewayStatus {
  const { capabilities, clock } = options
  const { name, site } = options.config
  const version = packageVersion()
  const startedAtMs = clock.wallMs()
  return () => {
    const parts = { nowMs: clock.wallMs(), startedAtMs, ...options.shown() }
    const reported = capabilities.flatMap((one) => one.problems?.(parts) ?? [])
    const problems = [...reported, ...silenceProblems({ ...parts, problems: reported })]
    const facts = {
      schema: STATUS_SCHEMA,
      name,
      site,
      version,
      pid: process.pid,
      state: worstState(problems),
      problems,
      ...parts,
      refused: capabilities.flatMap((one) => one.refused?.() ?? []),
    } as const
    return roundNumbers({ ...facts, verdicts: verdictsOf(facts) })
  }
}
