import assert from 'node:assert/strict'
import { parseBody, resume } from '../../../src/link/messages.ts'
import { planStart, requirePlace, resumesByGtid } from '../../../src/source/start-plan.ts'
import { recordedFacts } from '../../helpers/fixtures.ts'
import { recordedSourceFacts } from '../../helpers/source/recorded-source.ts'
import { epochSource } from '../../helpers/spool/spool-fixture.ts'
import type { FuzzTarget } from '../engine/target.ts'
import { takeFlags, withFlags } from '../input/flags.ts'

const FLAVORS = ['mysql', 'mariadb'] as const
const FACTS = { mysql: recordedSourceFacts('mysql'), mariadb: recordedSourceFacts('mariadb') }

/** What a DR gateway says it holds, and how a source goes on from there. */
function run(input: Buffer): void {
  const { flags, bytes } = takeFlags(input)
  const facts = FACTS[FLAVORS[flags % 2] ?? 'mysql']
  let body: unknown
  try {
    body = JSON.parse(bytes.toString('utf8'))
  } catch (error) {
    // The frame's decoder refuses it: see the target of frames.
    assert(error instanceof SyntaxError)
    return
  }
  const { held } = parseBody(resume, body, 'resume')
  const plan = planStart(requirePlace(held), facts)
  assert(plan.newEpoch !== null || plan.expect !== null)
  resumesByGtid(plan.expect, facts)
}

export const createTarget = async (): Promise<FuzzTarget> => ({
  inputBytesMax: 800,
  seeds: FLAVORS.flatMap((flavor, index) => {
    const { middle, offset, end } = recordedFacts(flavor)
    const held = { epoch: 1, source: epochSource(flavor), file: 'binlog.000001', complete: false }
    const asked = { stream: 'main', term: 1, windowBytes: 1024 }
    const bodies = [
      { held: { ...held, offset, gtids: middle }, ...asked },
      { held: { ...held, offset: 9, gtids: end, complete: true }, ...asked },
      { ...asked, held: null, windowBytes: 1 },
    ]
    return bodies.map((body) => withFlags(index, Buffer.from(JSON.stringify(body))))
  }),
  tokens: ['binlog.000002', 'binlog.999999', 'other.000001', 'null', '"mariadb"', '"mysql"'],
  run,
})
