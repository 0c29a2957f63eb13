import { text } from 'node:stream/consumers'
import { silentLog } from '../../../src/base/log.ts'
import { Secret } from '../../../src/base/secret.ts'
import { Tunnel, type TunnelOptions } from '../../../src/tunnel/tunnel.ts'
import type { TunnelSettings } from '../../../src/tunnel/tunnel-backend.ts'
import { playedKernel } from './played-kernel.ts'

/*
 * A tunnel in a process of its own, so that a test can put it into a network namespace and kill it.
 * Options come as JSON on stdin; a line of JSON with the status goes out ten times a second.
 */

export type TunnelProcessOptions = Pick<
  TunnelOptions,
  'publicKey' | 'firewall' | 'backend' | 'userspaceArgv' | 'dataDir'
> & {
  readonly settings: TunnelSettings
  readonly privateKey: string
  /** Take the interface from wireguard-go where the kernel would make it. */
  readonly playsKernel?: boolean
}

const options = JSON.parse(await text(process.stdin)) as TunnelProcessOptions
const tunnel = new Tunnel({
  ...options,
  privateKey: new Secret(options.privateKey),
  log: silentLog,
  ...(options.playsKernel === true && { runner: playedKernel(options.userspaceArgv) }),
})
const stopping = new AbortController()
process.once('SIGTERM', () => stopping.abort())
const printing = setInterval(() => {
  const line = JSON.stringify({ ...tunnel.status(), problems: tunnel.problems() })
  process.stdout.write(`${line}\n`)
}, 100)
await tunnel.run(stopping.signal)
clearInterval(printing)
