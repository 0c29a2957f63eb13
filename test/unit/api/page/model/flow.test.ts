import { describe, expect, test } from 'vitest'
import { type Flow, flowsOf, type Station } from '../../../../../src/api/page/model/flow.ts'
import { viewAtCopy, viewAtOrigin, withStream } from '../../../../helpers/page/played-view.ts'
import {
  drStatus,
  productionStatus,
  replicaStatus,
} from '../../../../helpers/status/status-fixture.ts'

const named = ({ kind, title, state }: Station) => `${kind} ${title}: ${state}`
const factOf = (place: { facts: Station['facts'] } | undefined, name: string) =>
  place?.facts.find((fact) => fact.name === name)?.value

function only(flows: readonly Flow[]): Flow {
  const [flow] = flows
  if (flow === undefined) throw new Error('there is one stream')
  return flow
}

describe('the flow', () => {
  test.each([
    ['the copy', viewAtCopy()],
    ['the origin', viewAtOrigin()],
  ])('seen from %s is the same: database, gateways, tunnel, spool, replica', (_name, view) => {
    const { stream, term, origin, branches } = only(flowsOf(view))
    expect([stream, term]).toEqual(['main', 1])
    expect(origin.stations.map(named)).toEqual([
      'database 198.51.100.10:3306: read',
      'gateway ec2: streaming',
    ])
    expect(branches).toHaveLength(1)
    expect(branches[0]?.tunnel).toMatchObject({ title: 'link up', mood: 'good' })
    expect(branches[0]?.copy.stations.map(named)).toEqual([
      'gateway azure: streaming',
      'spool spool: synced',
      'replica replica 2: caught-up',
    ])
    const [database] = origin.stations
    expect(factOf(database, 'server')).toBe('MySQL 9.7.4')
    expect(factOf(database, 'writes at')).toBe('binlog.000042 at 8,388,608')
    expect(factOf(branches[0]?.copy.stations[1], 'holds')).toBe('4.1 GiB, 42 files')
  })

  test('with the link down is broken, since when', () => {
    const sinceMs = drStatus.nowMs - 90_000
    const links = drStatus.links.map((link) => ({ ...link, state: 'down' as const, sinceMs }))
    const view = viewAtCopy({ status: { ...drStatus, links }, peerAgeMs: 90_000 })
    const { origin, branches } = only(flowsOf(view))
    expect(branches[0]?.tunnel).toMatchObject({ title: 'link down', mood: 'bad' })
    expect(factOf(branches[0]?.tunnel, 'down for')).toBe('1 min 30 s')
    expect(factOf(branches[0]?.tunnel, 'round trip')).toBeUndefined()
    expect(origin.old).toBe('heard 1 min 30 s ago')
    expect(origin.stations.every(({ mood }) => mood === 'unknown')).toBe(true)
  })

  test('seen from the origin has a copy that is silent, of which nothing is known', () => {
    const { branches } = only(flowsOf(viewAtOrigin({ peerAgeMs: null })))
    expect(branches[0]?.copy).toMatchObject({ site: 'azure', old: 'not heard yet' })
    expect(branches[0]?.copy.stations.map(({ mood }) => mood)).toEqual(['unknown', 'unknown'])
  })

  test('has what a replica says of itself', () => {
    const applyError = 'Duplicate entry <b>1</b>'
    const applyLag = replicaStatus.applyLag && {
      ...replicaStatus.applyLag,
      transactions: 1,
      ms: 61_000,
    }
    const replicas = [{ ...replicaStatus, applyError, applyLag, delaySeconds: 3_600 }]
    const { branches } = only(flowsOf(viewAtCopy({ status: withStream(drStatus, { replicas }) })))
    const replica = branches[0]?.copy.stations[2]
    expect(replica).toMatchObject({ state: 'does not apply', mood: 'bad' })
    expect(factOf(replica, 'behind')).toBe('1 min 1 s, 1 transaction')
    expect(factOf(replica, 'late on purpose')).toBe('1 h')
    expect(factOf(replica, 'error')).toBe(applyError)
  })

  test('without a replica says so', () => {
    const status = withStream(drStatus, { replicas: [] })
    const { branches } = only(flowsOf(viewAtCopy({ status })))
    expect(branches[0]?.copy.stations[2]).toMatchObject({ title: 'no replica', mood: 'bad' })
  })

  test('has every copy of which the origin knows', () => {
    const copies = ['azure', 'gcp'].map((peer) => ({
      ...{ peer, site: peer, state: 'streaming' as const, sentBytes: 0, inFlightBytes: 0 },
    }))
    const status = withStream(productionStatus, { copies })
    const { branches } = only(flowsOf(viewAtOrigin({ status })))
    expect(branches.map(({ key, copy }) => [key, copy.old])).toEqual([
      ['azure', null],
      ['gcp', 'not heard yet'],
    ])
  })
})
