/** Every reader of bytes from outside that is fuzzed; each has a module of this name. */
export const TARGETS = [
  'link-frame',
  'link-session',
  'link-upgrade',
  'start-plan',
  'event-framer',
  'event-bodies',
  'gtid-text',
  'dump-decoder',
  'mysql-packets',
  'sql-statement',
  'relay-session',
  'uapi-reply',
  'config-files',
  'spool-file',
  'spool-records',
] as const

/** These wait for files, sockets or turns of the event loop: hundreds of runs a second. */
const WAITING: readonly TargetName[] = [
  'link-session',
  'link-upgrade',
  'relay-session',
  'config-files',
  'spool-file',
  'spool-records',
]

export type TargetName = (typeof TARGETS)[number]

export function moduleOf(target: TargetName): URL {
  return new URL(`./targets/${target}.ts`, import.meta.url)
}

export function isWaiting(target: TargetName): boolean {
  return WAITING.includes(target)
}

export function isTarget(name: string): name is TargetName {
  return TARGETS.some((target) => target === name)
}
