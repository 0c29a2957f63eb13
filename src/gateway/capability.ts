import type { Operation } from '../base/operation.ts'
import type { Task } from '../base/tasks.ts'
import type { MetricSheet } from '../observe/metric-sheet.ts'
import type { GatewayStatus, Problem, RefusedStatus } from '../status/status.ts'

/** The parts of the status, from which problems may be judged. */
export type StatusParts = Pick<
  GatewayStatus,
  'nowMs' | 'startedAtMs' | 'tunnel' | 'links' | 'streams'
>

/**
 * A part of the program as the gateway has it: what it does, what it can be asked, and what it adds
 * to status and metrics. Its section of the configuration is listed in config/sections.ts, which
 * commands read that make no gateway.
 */
export interface Capability {
  /** What runs from the start to the end. */
  readonly ground?: readonly Task[]
  /** What ends before the ground does: its last words still need that. */
  readonly flow?: readonly Task[]
  readonly operations?: readonly Operation[]
  problems?(parts: StatusParts): readonly Problem[]
  /** Connections that its doors turned away. */
  refused?(): readonly RefusedStatus[]
  metrics?(sheet: MetricSheet, status: GatewayStatus): void
}
