import { describeError, isLandbridgeError } from '../base/errors.ts'
import { tunnelTable } from './firewall.ts'
import type { ProcessRunner } from './process-runner.ts'

/*
 * TCP through the tunnel must not announce segments sized for a cloud's large interfaces: packets
 * beyond the tunnel's MTU get lost on paths that drop the "too big" messages. Two chains in the
 * table of the firewall, which is made anew before they are added and removed with them.
 */

export function clampRules(interfaceName: string): string {
  const clamp = 'tcp flags syn / syn,rst tcp option maxseg size set rt mtu'
  const chain = (hook: string) =>
    `  chain clamp_${hook} {\n    type filter hook ${hook} priority mangle; policy accept;\n` +
    `    oifname "${interfaceName}" ${clamp}\n  }\n`
  return `table inet ${tunnelTable(interfaceName)} {\n${chain('forward')}${chain('output')}}\n`
}

/** Null when the rules are in place, else why not: without them the tunnel still works mostly. */
export async function clampMss(
  runner: ProcessRunner,
  interfaceName: string,
): Promise<string | null> {
  try {
    await runner.run('nft', ['-f', '-'], { stdin: clampRules(interfaceName) })
    return null
  } catch (error) {
    if (!isLandbridgeError(error)) throw error
    return describeError(error)
  }
}
