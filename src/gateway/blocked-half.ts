import { LandbridgeError } from '../base/errors.ts'
import { untilAborted } from '../base/until-aborted.ts'
import type { Channel } from '../link/channel.ts'
import { FrameType } from '../link/frame.ts'
import type { SessionBody } from '../link/link-session.ts'
import type { State } from '../link/messages.ts'
import { NO_OBJECTIVE, type Problem, type RefusedStatus } from '../status/status.ts'
import type { StreamConfig } from './config/gateway-config.ts'
import type { HalfStatus, StreamHalf } from './stream-half.ts'

/** A half that cannot work until a person has acted: the other streams go on. */
export class BlockedHalf implements StreamHalf {
  readonly role: StreamHalf['role']
  readonly #config: StreamConfig
  readonly #problem: Problem

  constructor(role: StreamHalf['role'], config: StreamConfig, problem: Problem) {
    this.role = role
    this.#config = config
    this.#problem = problem
  }

  async run(signal: AbortSignal): Promise<void> {
    await untilAborted(signal)
  }

  /** Says why nothing comes, and does nothing else. */
  session(channel: Channel, number: number): SessionBody {
    const { code, message, remedy, sinceMs } = this.#problem
    const problem = { code, message, remedy: remedy ?? null, sinceMs }
    return {
      onFrame: () => undefined,
      run: async (signal) => {
        const state: State = { state: 'blocked', host: '', problem }
        if (this.role === 'origin') channel.sendJson(FrameType.State, number, state)
        await untilAborted(signal)
      },
    }
  }

  async releaseReplica(): Promise<boolean> {
    throw new LandbridgeError('ERR_USAGE', `stream ${this.#config.name} does not run here`, {
      remedy: this.#problem.message,
    })
  }

  refused(): RefusedStatus[] {
    return []
  }

  problems(): Problem[] {
    return [this.#problem]
  }

  status(): HalfStatus {
    const { name, throttle } = this.#config
    return {
      name,
      flavor: null,
      state: 'blocked',
      peer: null,
      copies: [],
      source: {
        host: null,
        serverVersion: null,
        serverId: null,
        serverUuid: null,
        position: null,
        connected: false,
        heardAgoMs: null,
      },
      spool: null,
      receiveLag: null,
      exposure: null,
      objective: NO_OBJECTIVE,
      rates: null,
      transactionsReceived: 0,
      bytesReceived: 0,
      receivedAgoMs: null,
      throttle,
      replicas: [],
    }
  }
}
