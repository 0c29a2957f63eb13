import { expect, test } from 'vitest'
import { clampMss, clampRules, clampTable, unclampMss } from '../../../src/tunnel/mss-clamp.ts'
import { commandFailed, ScriptedRunner } from '../../helpers/scripted-runner.ts'

test('replaces its own table whole, in one transaction', () => {
  expect(clampTable('lb.0-x')).toBe('landbridge_lb_0_x')
  expect(clampRules('lb0')).toBe(`add table inet landbridge_lb0
delete table inet landbridge_lb0
table inet landbridge_lb0 {
  chain forward {
    type filter hook forward priority mangle; policy accept;
    oifname "lb0" tcp flags syn / syn,rst tcp option maxseg size set rt mtu
  }
  chain output {
    type filter hook output priority mangle; policy accept;
    oifname "lb0" tcp flags syn / syn,rst tcp option maxseg size set rt mtu
  }
}
`)
})

test('says why the rules are not there instead of failing', async () => {
  expect(await clampMss(new ScriptedRunner({}), 'lb0')).toBeNull()
  expect(await clampMss(new ScriptedRunner({}, ['nft']), 'lb0')).toBe('nft is not on this machine')
  const refused = new ScriptedRunner({ nft: commandFailed('not permitted') })
  expect(await clampMss(refused, 'lb0')).toBe('not permitted')
  const absent = new ScriptedRunner({}, ['nft'])
  await unclampMss(absent, 'lb0')
  expect(absent.calls).toEqual([])
})
