import type { Clock } from '../base/clock.ts'
import type { Disk } from '../base/disk.ts'
import type { RoomStatus } from '../status/status.ts'

export interface SpoolRoomOptions {
  readonly directory: string
  readonly disk: Pick<Disk, 'room'>
  readonly clock: Clock
}

const LOOK_EVERY_MS = 10_000

/** How much of its disk a spool may still take, looked at now and then. */
export class SpoolRoom {
  readonly #options: SpoolRoomOptions
  #now: RoomStatus | null = null

  constructor(options: SpoolRoomOptions) {
    this.#options = options
  }

  /** Null while nobody knows. */
  get now(): RoomStatus | null {
    return this.#now
  }

  async run(signal: AbortSignal): Promise<void> {
    const { directory, disk, clock } = this.#options
    while (!signal.aborted) {
      // A folder that is gone is the writer's business; here it only is not known.
      const room = await disk.room(directory).catch(() => null)
      this.#now = room && { freeBytes: room.bytes, totalBytes: room.totalBytes }
      await clock.sleep(LOOK_EVERY_MS, { signal }).catch(() => undefined)
    }
  }
}
