import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { kernelHasWireguard } from '../../../src/tunnel/kernel-support.ts'

let root: string

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'landbridge-kernel-'))
})

afterEach(() => rm(root, { recursive: true }))

async function modules(kernel: string, list: string, text: string): Promise<void> {
  await mkdir(join(root, 'lib/modules', kernel), { recursive: true })
  await writeFile(join(root, 'lib/modules', kernel, list), text)
}

test('a kernel without modules and without it loaded has none', async () => {
  expect(await kernelHasWireguard(root, '6.1.0')).toBe(false)
  await modules('6.1.0', 'modules.dep', 'kernel/net/wireguard.kobold:\nkernel/net/veth.ko.xz:\n')
  expect(await kernelHasWireguard(root, '6.1.0')).toBe(false)
})

test('loaded or built in, as /sys says', async () => {
  await mkdir(join(root, 'sys/module/wireguard'), { recursive: true })
  expect(await kernelHasWireguard(root, '6.1.0')).toBe(true)
})

test.each(['modules.dep', 'modules.builtin'])('as a module in %s of this kernel', async (list) => {
  await modules('6.1.0', list, 'kernel/drivers/net/wireguard/wireguard.ko.xz: kernel/x.ko.xz\n')
  expect(await kernelHasWireguard(root, '6.1.0')).toBe(true)
  expect(await kernelHasWireguard(root, '6.2.0')).toBe(false)
})
