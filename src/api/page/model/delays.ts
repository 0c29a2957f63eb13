import type { DelayWindow, DelayWindows } from '../../../status/status.ts'
import type { ViewMessage } from '../protocol.ts'
import { count, shortDuration, UNKNOWN } from './format.ts'
import { streamsOf } from './streams.ts'

/** How long single transactions took, in one window. */
export interface DelayRow {
  readonly key: string
  /** From where to where. */
  readonly what: string
  readonly window: string
  /** p50, p95, p99, the longest, how many. */
  readonly values: readonly string[]
}

const WINDOWS = [
  ['minute', 'last minute'],
  ['quarterHour', '15 minutes'],
  ['day', '24 hours'],
] as const satisfies readonly (readonly [keyof DelayWindows, string])[]

export function delayRows(view: ViewMessage): DelayRow[] {
  const several = view.status.streams.length > 1
  return streamsOf(view).flatMap(({ name, copies }) =>
    copies.flatMap(({ gateway, at }) => {
      const place = several ? `${name} at ${gateway}` : gateway
      const applied = at?.stream.replicas ?? []
      return [
        ...rowsOf(`synced at ${place}`, at?.stream.receiveLag?.windows ?? null),
        ...applied.flatMap(({ serverId, applyLag }) => {
          return rowsOf(`applied by replica ${serverId} at ${place}`, applyLag?.windows ?? null)
        }),
      ]
    }),
  )
}

function rowsOf(what: string, windows: DelayWindows | null): DelayRow[] {
  if (windows === null) return []
  return WINDOWS.map(([name, window]) => {
    return { key: `${what} ${name}`, what, window, values: valuesOf(windows[name]) }
  })
}

function valuesOf(window: DelayWindow | null): string[] {
  if (window === null) return [UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, '0']
  const { p50Ms, p95Ms, p99Ms, maxMs } = window
  return [...[p50Ms, p95Ms, p99Ms, maxMs].map(shortDuration), count(window.count)]
}
