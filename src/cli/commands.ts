import type { Command } from 'commander'

export interface CommandEntry {
  readonly name: string
  /** Shown by `landbridge --help` without loading the command. */
  readonly summary: string
  load(): Promise<(program: Command) => void>
}

/**
 * Every command, in the order of `landbridge --help`. Each is loaded only when it is asked for:
 * `status` in a loop should not pay for what `init` needs.
 */
export const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'init',
    summary: 'make keys, certificates, peer files and configurations',
    load: async () => (await import('./init/init-command.ts')).addInitCommand,
  },
  {
    name: 'check',
    summary: 'find what would not work, before it matters',
    load: async () => (await import('./check/check-command.ts')).addCheckCommand,
  },
  {
    name: 'run',
    summary: 'run a gateway in the foreground',
    load: async () => (await import('./run/run-command.ts')).addRunCommand,
  },
  {
    name: 'status',
    summary: 'tunnel, lag, and what a failover would lose',
    load: async () => (await import('./status/status-command.ts')).addStatusCommand,
  },
  {
    name: 'lag',
    summary: 'how far behind each stream is, now and before',
    load: async () => (await import('./lag/lag-command.ts')).addLagCommand,
  },
  {
    name: 'events',
    summary: 'who did what when, and what happened',
    load: async () => (await import('./events/events-command.ts')).addEventsCommand,
  },
  {
    name: 'tunnel',
    summary: 'show, make or remove the WireGuard tunnel alone',
    load: async () => (await import('./tunnel/tunnel-command.ts')).addTunnelCommand,
  },
  {
    name: 'replica',
    summary: 'attach the database of a copy to its gateway, or detach it',
    load: async () => (await import('./replica/replica-command.ts')).addReplicaCommand,
  },
  {
    name: 'operation',
    summary: 'list what a gateway can be asked, and ask it',
    load: async () => (await import('./operation/operation-command.ts')).addOperationCommand,
  },
  {
    name: 'demo',
    summary: 'clouds on this machine, under load, compared at the end',
    load: async () => (await import('./lab/demo-command.ts')).addDemoCommand,
  },
  {
    name: 'chaos',
    summary: 'break a lab at random under load, then count every transaction',
    load: async () => (await import('./lab/chaos-command.ts')).addChaosCommand,
  },
  {
    name: 'lab',
    summary: 'several clouds on this machine, for trying and testing',
    load: async () => (await import('./lab/lab-command.ts')).addLabCommand,
  },
  {
    name: 'version',
    summary: 'say which landbridge, Node and platform this is',
    load: async () => (await import('./version-command.ts')).addVersionCommand,
  },
  {
    name: 'completion',
    summary: 'print a completion script for bash, zsh or fish',
    load: async () => (await import('./completion/completion-command.ts')).addCompletionCommand,
  },
]
