import { mkdir, open, readFile, rm, statfs } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { ignoreMissing } from '../../base/atomic-file.ts'
import type { LabPaths } from '../lab-paths.ts'
import { runCommand, tryCommand } from './command.ts'

/** More than a lab writes; the image is sparse. */
const DISK_BYTES = 8 * 1024 ** 3
const MEMORY_BYTES = 2 * 1024 ** 3
/** About as many as ext4 makes for the larger one; so few can be used up. */
const MEMORY_INODES = 8192

/**
 * Gives the spool of a lab a disk of its own, which can be full without the machine's being so: a
 * file system in a file, or one in memory where there is no loop device. Removed with the lab.
 */
export async function mountSpoolDisk(
  paths: Pick<LabPaths, 'dataDirectory'>,
  spoolDirectory: string,
): Promise<void> {
  const mountPoint = dirname(spoolDirectory)
  await mkdir(mountPoint, { recursive: true })
  // One a gateway: the folder of its spools is in that of its data.
  const owner = basename(dirname(mountPoint))
  const image = join(paths.dataDirectory, `spool-disk-${owner}.img`)
  const file = await open(image, 'w')
  try {
    await file.truncate(DISK_BYTES)
  } finally {
    await file.close()
  }
  const made = await tryCommand(['mkfs.ext4', '-q', '-F', '-m', '0', '-T', 'largefile', image])
  if (made.code === 0) {
    if ((await tryCommand(['mount', '-o', 'loop', image, mountPoint])).code === 0) return
  }
  await rm(image, { force: true })
  await runCommand([
    'mount',
    '-t',
    'tmpfs',
    '-o',
    `size=${MEMORY_BYTES},nr_inodes=${MEMORY_INODES}`,
    'none',
    mountPoint,
  ])
}

const fillerOf = (spoolDirectory: string) => join(dirname(spoolDirectory), 'filler')

/** Takes all room of the spool's disk but so much. */
export async function fillSpoolDisk(spoolDirectory: string, freeBytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(dirname(spoolDirectory))
  const bytes = bavail * bsize - freeBytes
  if (bytes <= 0) return
  const filler = fillerOf(spoolDirectory)
  // Somewhat too much is no failure here: what could be taken was taken.
  await tryCommand(['fallocate', '-l', String(bytes), filler])
  const rest = await statfs(dirname(spoolDirectory))
  const left = rest.bavail * rest.bsize - freeBytes
  if (left > 0) await tryCommand(['sh', '-c', `head -c ${left} /dev/zero >> '${filler}'`])
}

export async function freeSpoolDisk(spoolDirectory: string): Promise<void> {
  await rm(fillerOf(spoolDirectory), { force: true })
}

const manyOf = (spoolDirectory: string) => join(dirname(spoolDirectory), 'many')

/** Takes all inodes of the spool's disk, and next to no bytes. */
export async function fillSpoolInodes(spoolDirectory: string): Promise<void> {
  const many = manyOf(spoolDirectory)
  await mkdir(many, { recursive: true })
  for (let n = 0; (await statfs(many)).ffree > 0; n += 1) {
    await (await open(join(many, String(n)), 'w')).close()
  }
}

export async function freeSpoolInodes(spoolDirectory: string): Promise<void> {
  await rm(manyOf(spoolDirectory), { recursive: true, force: true })
}

/** Takes away every mount below a lab's folder, whoever left it there. */
export async function unmountBelow(directory: string): Promise<void> {
  const mounts = (await readFile('/proc/mounts', 'utf8').catch(ignoreMissing)) ?? ''
  const points = mounts
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((point) => point.startsWith(`${directory}/`))
  for (const point of points.reverse()) await tryCommand(['umount', '-l', point])
}
