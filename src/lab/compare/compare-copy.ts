import { describeError } from '../../base/errors.ts'
import { readSites, shapeNow } from '../lab-readiness.ts'
import { copiesOf, copyLabel, type LabCopy } from '../lab-shape.ts'
import { databaseOf, type LabState, sourceOf, spoolOf } from '../lab-state.ts'
import { type CompareSpoolOptions, compareSpool, type SpoolReport } from './compare-spool.ts'
import { compareTables, type TablesReport, unequal } from './compare-tables.ts'
import { newestEpochFolder } from './spool-files.ts'

/** A copy of a stream held against its origin. */
export interface CopyReport extends LabCopy {
  /** How to call it; empty where the lab has no other. */
  readonly label: string
  /** Null in a lab without gateways. */
  readonly spool: SpoolReport | null
  readonly tables: TablesReport
}

export interface CompareCopyOptions
  extends Pick<CompareSpoolOptions, 'waitSeconds' | 'signal' | 'allowsOlder' | 'beforeCompare'> {
  /** As the lab is now: see `compareLab`. */
  readonly state: LabState
  readonly copy: LabCopy
}

/** `state` with the origins of now: what a copy is held against may have moved. */
export async function stateNow(state: LabState): Promise<LabState> {
  const { sites, streams } = state
  return { ...state, ...shapeNow({ sites, streams }, await readSites(state.gateways)) }
}

/** Spool and replica of one copy. What was found of the spool is told whatever the replica is. */
export async function compareCopy(options: CompareCopyOptions): Promise<CopyReport> {
  const { state, copy, waitSeconds, signal } = options
  const { stream, site } = copy
  const source = sourceOf(state, stream)
  const { socket: sourceSocket, binlogDirectory: sourceBinlogDirectory } = source
  const spoolFiles = () => newestEpochFolder(spoolOf(state, stream, site))
  const { allowsOlder = false, beforeCompare } = options
  const spool =
    state.gateways.length === 0
      ? null
      : await compareSpool({
          flavor: state.flavor,
          ...{ sourceSocket, sourceBinlogDirectory, spoolFiles, waitSeconds, signal, allowsOlder },
          ...(beforeCompare === undefined ? {} : { beforeCompare }),
        })
  const tables = await compareTables({
    flavor: state.flavor,
    sourceSocket,
    replicaSocket: databaseOf(state, stream, site).socket,
    waitSeconds,
    signal,
  }).catch((error: unknown) => {
    signal.throwIfAborted()
    return unequal(`cannot be compared: ${describeError(error)}`)
  })
  return { ...copy, label: copyLabel(state, copy), spool, tables }
}

/** Every copy of every stream, one after the other. */
export async function compareLab(options: Omit<CompareCopyOptions, 'copy'>): Promise<CopyReport[]> {
  const state = await stateNow(options.state)
  const reports: CopyReport[] = []
  for (const copy of copiesOf(state)) reports.push(await compareCopy({ ...options, state, copy }))
  return reports
}

export function isEqual({ spool, tables }: Pick<CopyReport, 'spool' | 'tables'>): boolean {
  return (spool?.identical ?? true) && tables.equal
}
