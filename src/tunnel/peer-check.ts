import { LandbridgeError } from '../base/errors.ts'
import { canonicalAddress } from '../config/address.ts'
import type { TunnelPeer } from './tunnel-backend.ts'

interface End {
  readonly publicKey: string
  readonly address: string
}

/**
 * WireGuard takes a peer by its key and finds it by its address, each of which can be of one peer
 * only: the second one would take the place of the first without a word, and our own key's is
 * dropped. Throws ERR_TUNNEL_PEERS.
 */
export function checkPeers(own: End, peers: readonly TunnelPeer[]): void {
  const keys = new Map([[own.publicKey, 'this gateway']])
  const addresses = new Map([[canonicalAddress(own.address), 'this gateway']])
  for (const { name, publicKey, tunnelAddress } of peers) {
    const address = canonicalAddress(tunnelAddress)
    const [sameKey, sameAddress] = [keys.get(publicKey), addresses.get(address)]
    if (sameKey !== undefined) throw alike(name, sameKey, 'WireGuard key')
    if (sameAddress !== undefined) throw alike(name, sameAddress, 'tunnel address')
    keys.set(publicKey, name)
    addresses.set(address, name)
  }
}

function alike(name: string, other: string, what: string): LandbridgeError {
  return new LandbridgeError('ERR_TUNNEL_PEERS', `${name} has the ${what} of ${other}`, {
    remedy: `correct the peer files: each gateway needs a ${what} of its own`,
    details: { peer: name, other },
  })
}
