import { describeError, isLandbridgeError } from '../base/errors.ts'
import type { ProcessRunner } from './process-runner.ts'

/*
 * TCP through the tunnel must not announce segments sized for a cloud's large interfaces: packets
 * beyond the tunnel's MTU get lost on paths that drop the "too big" messages. One table of our own,
 * replaced whole in one transaction, so that a crash or a second start leaves no double rules.
 */

export function clampTable(interfaceName: string): string {
  return `landbridge_${interfaceName.replace(/[^A-Za-z0-9_]/g, '_')}`
}

export function clampRules(interfaceName: string): string {
  const table = `inet ${clampTable(interfaceName)}`
  const clamp = 'tcp flags syn / syn,rst tcp option maxseg size set rt mtu'
  const chain = (hook: string) =>
    `  chain ${hook} {\n    type filter hook ${hook} priority mangle; policy accept;\n` +
    `    oifname "${interfaceName}" ${clamp}\n  }\n`
  return (
    `add table ${table}\ndelete table ${table}\n` +
    `table ${table} {\n${chain('forward')}${chain('output')}}\n`
  )
}

export function unclampRules(interfaceName: string): string {
  const table = `inet ${clampTable(interfaceName)}`
  return `add table ${table}\ndelete table ${table}\n`
}

/** Null when the rules are in place, else why not: without them the tunnel still works mostly. */
export async function clampMss(
  runner: ProcessRunner,
  interfaceName: string,
): Promise<string | null> {
  if ((await runner.find('nft')) === null) return 'nft is not on this machine'
  try {
    await runner.run('nft', ['-f', '-'], { stdin: clampRules(interfaceName) })
    return null
  } catch (error) {
    if (!isLandbridgeError(error)) throw error
    return describeError(error)
  }
}

export async function unclampMss(runner: ProcessRunner, interfaceName: string): Promise<void> {
  if ((await runner.find('nft')) === null) return
  await runner.run('nft', ['-f', '-'], { stdin: unclampRules(interfaceName) })
}
