import { expect, test } from 'vitest'
import { missingOfLab, type SiteStatus, shapeNow } from '../../../src/lab/lab-readiness.ts'
import { labShape } from '../../../src/lab/lab-shape.ts'
import type { GatewayStatus, StreamStatus } from '../../../src/status/status.ts'
import { drStatus, drStream, productionStatus } from '../../helpers/status/status-fixture.ts'

const shape = labShape({ sites: 3, streams: 1 })
const copy = (change: Partial<StreamStatus> = {}): GatewayStatus => {
  return { ...drStatus, streams: [{ ...drStream, ...change }] }
}
const sites = (gcp: GatewayStatus | null): SiteStatus[] => [
  { site: 'ec2', status: productionStatus },
  { site: 'azure', status: copy() },
  { site: 'gcp', status: gcp },
]

test('a lab lacks nothing when every copy streams and feeds its replica', () => {
  expect(missingOfLab(shape, sites(copy()), 'replica')).toBeNull()
})

test('says what is missing where, in the order of the flow', () => {
  const missing = (gcp: GatewayStatus | null) => missingOfLab(shape, sites(gcp), 'replica')
  expect(missing(null)).toBe('the gcp gateway does not answer')
  expect(missing({ ...copy(), streams: [] })).toBe('main at gcp: the gateway does not have it')
  const [link] = drStatus.links
  if (link === undefined) throw new Error('the fixture has a link')
  const cut = { ...copy({ state: 'idle' }), links: [{ ...link, state: 'down' as const }] }
  expect(missing(cut)).toBe('main at gcp: the link is down')
  expect(missing(copy({ state: 'idle' }))).toMatch(/^main at gcp: the stream is idle/)
  const alone = copy({ replicas: [] })
  expect(missing(alone)).toMatch(/^main at gcp: no replica is attached/)
  expect(missingOfLab(shape, sites(alone), 'link')).toBeNull()
})

test('the origin of now is that of the highest term that any gateway tells', () => {
  const term = { ...drStream.term, term: 2, origin: 'gcp' }
  const now = shapeNow(shape, sites(copy({ term })))
  expect(now.streams).toEqual([{ name: 'main', origin: 'gcp' }])
  expect(shapeNow(shape, sites(null)).streams).toEqual(shape.streams)
  expect(shapeNow(shape, []).streams).toEqual(shape.streams)
})
