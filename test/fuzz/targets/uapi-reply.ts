import assert from 'node:assert/strict'
import {
  encodeSetEndpoint,
  parseEndpoint,
  parseReply,
  UapiReplySplitter,
} from '../../../src/tunnel/uapi.ts'
import { attempt } from '../engine/contract.ts'
import type { FuzzTarget } from '../engine/target.ts'
import { chunksOf } from '../input/chunks.ts'

function split(pieces: readonly string[]) {
  const splitter = new UapiReplySplitter()
  return attempt(() => pieces.flatMap((piece) => splitter.push(piece)))
}

/** The socket is read as text of one byte a character, so that no character is cut. */
function run(input: Buffer): void {
  const text = input.toString('latin1')
  const whole = split([text])
  assert.deepEqual(split(chunksOf(input).map((piece) => piece.toString('latin1'))), whole)
  const replies = 'value' in whole ? whole.value : []
  for (const reply of [...replies, text]) {
    const outcome = attempt(() => parseReply(reply))
    if (!('value' in outcome)) continue
    for (const { publicKey, endpoint, handshakeAtMs } of outcome.value.peers) {
      assert.equal(Buffer.from(publicKey, 'base64').length, 32)
      assert(handshakeAtMs === null || Number.isFinite(handshakeAtMs))
      if (endpoint === null || parseEndpoint(endpoint) === null) continue
      assert(encodeSetEndpoint(publicKey, endpoint).includes(`endpoint=${endpoint}\n`))
    }
  }
}

const KEY = 'ab'.repeat(32)
const REPLY =
  `private_key=${KEY}\nlisten_port=51820\nfwmark=0\npublic_key=${KEY}\n` +
  'endpoint=198.51.100.2:51820\nlast_handshake_time_sec=1700000000\n' +
  'last_handshake_time_nsec=500000000\ntx_bytes=20\nrx_bytes=10\n' +
  'persistent_keepalive_interval=25\nallowed_ip=10.77.0.2/32\nprotocol_version=1\nerrno=0\n\n'

export const createTarget = async (): Promise<FuzzTarget> => ({
  inputBytesMax: 1500,
  seeds: [
    Buffer.from(REPLY),
    Buffer.from('errno=-98\n\n'),
    Buffer.from(`public_key=${KEY}\nendpoint=[fe80::1%eth0]:9\nerrno=0\n\n`.repeat(2)),
  ],
  tokens: [KEY, '\n\n', '=', '[2001:db8::2]:1', '99999999999999999'],
  run,
})
