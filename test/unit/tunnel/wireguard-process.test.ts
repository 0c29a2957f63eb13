import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pid } from 'node:process'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { systemClock } from '../../../src/base/clock.ts'
import { silentLog } from '../../../src/base/log.ts'
import { systemRunner } from '../../../src/tunnel/process-runner.ts'
import { WireguardProcess } from '../../../src/tunnel/wireguard-process.ts'

/** As wireguard-go does it: advice on stderr unless told otherwise, the log on stdout. */
const WITHOUT_DEVICE = `#!/bin/sh
if [ "$WG_PROCESS_FOREGROUND" != 1 ]; then
  echo 'Running wireguard-go is not required' >&2
  echo 'https://example.org/install/' >&2
fi
[ "$LOG_LEVEL" = error ] && echo "ERROR: ($2) Failed to create TUN device: permission denied"
exit 1
`

let directory: string

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'lbwg-'))
})
afterAll(() => rm(directory, { recursive: true }))

async function ended(script: string): Promise<WireguardProcess> {
  const path = join(directory, 'wireguard-go')
  await writeFile(path, script)
  await chmod(path, 0o755)
  const process = new WireguardProcess({
    argv: [path],
    interfaceName: 'lb0',
    recordPath: join(directory, 'record.json'),
    runner: systemRunner,
    clock: systemClock,
  })
  await process.start()
  await process.exited()
  return process
}

test('its reason is why it ended, not its advice to use the kernel', async () => {
  const process = await ended(WITHOUT_DEVICE)
  expect(process.running).toBe(false)
  expect(process.reason).toBe('ERROR: (lb0) Failed to create TUN device: permission denied')
  await process.stop()
})

test('runs also where it cannot be noted, and says so', async () => {
  const path = join(directory, 'sleeps')
  await writeFile(path, '#!/bin/sh\nexec sleep 60\n')
  await chmod(path, 0o755)
  const recordPath = join(directory, 'noted.json')
  await mkdir(`${recordPath}.${pid}.tmp`)
  const told: object[] = []
  const process = new WireguardProcess({
    argv: [path],
    interfaceName: 'lb0',
    recordPath,
    runner: systemRunner,
    clock: systemClock,
    log: { ...silentLog, warn: (fields) => void told.push(fields) },
  })
  await process.start()
  expect(process.running).toBe(true)
  expect(told).toEqual([{ code: 'ERR_TUNNEL_NOTE' }])
  await process.stop()
  expect(process.running).toBe(false)
})

test('what it says on standard error counts too', async () => {
  const process = await ended('#!/bin/sh\necho "panic: out of memory" >&2\nexit 2\n')
  expect(process.reason).toBe('panic: out of memory')
  await process.stop()
})

test('its reason is what broke, not the place where that was', async () => {
  const process = await ended(
    '#!/bin/sh\necho "panic: boom" >&2\nseq -f "goroutine %g [running]" 900 >&2\nexit 2\n',
  )
  expect(process.reason).toBe('panic: boom')
  await process.stop()
})
