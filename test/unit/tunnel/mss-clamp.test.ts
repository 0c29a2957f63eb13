import { expect, test } from 'vitest'
import { clampMss, clampRules } from '../../../src/tunnel/mss-clamp.ts'
import { commandFailed, ScriptedRunner } from '../../helpers/tunnel/scripted-runner.ts'

test('adds its chains to the table of the firewall', () => {
  expect(clampRules('lb0')).toBe(`table inet landbridge_lb0 {
  chain clamp_forward {
    type filter hook forward priority mangle; policy accept;
    oifname "lb0" tcp flags syn / syn,rst tcp option maxseg size set rt mtu
  }
  chain clamp_output {
    type filter hook output priority mangle; policy accept;
    oifname "lb0" tcp flags syn / syn,rst tcp option maxseg size set rt mtu
  }
}
`)
})

test('says why the rules are not there instead of failing', async () => {
  expect(await clampMss(new ScriptedRunner({}), 'lb0')).toBeNull()
  const refused = new ScriptedRunner({ nft: commandFailed('not permitted') })
  expect(await clampMss(refused, 'lb0')).toBe('not permitted')
})
