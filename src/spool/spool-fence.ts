import { createFolder } from '../base/atomic-file.ts'
import type { Disk } from '../base/disk.ts'
import { LandbridgeError } from '../base/errors.ts'
import type { FolderLock } from '../base/folder-lock.ts'

/**
 * Makes one process the only writer of a spool. Today that is a lock on its folder; a lease would
 * compare its number with the newest that was given out.
 */
export interface SpoolFence {
  /** Throws ERR_SPOOL_LOCKED while another process has it. */
  acquire(): Promise<void>
  /** Asked before whatever others would see. Throws ERR_SPOOL_FENCED unless it is still ours. */
  check(): Promise<void>
  /** May be called without having it. */
  release(): Promise<void>
}

/** The kernel's lock on the folder itself: ours as long as the path still is that folder. */
export class FolderFence implements SpoolFence {
  readonly #directory: string
  readonly #disk: Disk
  #lock: FolderLock | null = null

  constructor(directory: string, disk: Disk) {
    this.#directory = directory
    this.#disk = disk
  }

  /** Makes the folder where it is missing. */
  async acquire(): Promise<void> {
    // What is in here is as confidential as the database.
    await createFolder(this.#directory, this.#disk)
    const lock = await this.#disk.lockFolder(this.#directory)
    if (lock === null) throw lockedByOther(this.#directory)
    this.#lock = lock
  }

  async check(): Promise<void> {
    if (this.#lock === null || !(await this.#lock.isHeld())) throw fenced(this.#directory)
  }

  async release(): Promise<void> {
    const lock = this.#lock
    this.#lock = null
    await lock?.release()
  }
}

function lockedByOther(path: string): LandbridgeError {
  return new LandbridgeError('ERR_SPOOL_LOCKED', `another process writes the spool ${path}`, {
    remedy:
      `Stop the other gateway, which may run in a container (fuser -v ${path} shows processes of` +
      ' this machine), or give this one a spool directory of its own.',
    retryable: true,
    details: { path },
  })
}

function fenced(path: string): LandbridgeError {
  return new LandbridgeError(
    'ERR_SPOOL_FENCED',
    `${path} is no longer the folder that this gateway has locked: nothing is written there`,
    {
      remedy:
        'See whether its disk was unmounted, or the folder was moved or replaced. Put it back, ' +
        'then restart the gateway.',
      details: { path },
    },
  )
}
