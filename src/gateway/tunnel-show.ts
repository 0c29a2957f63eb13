import { z } from 'zod'
import { defineOperation, type Operation } from '../base/operation.ts'
import { roundNumbers } from '../base/round-numbers.ts'
import type { TunnelStatus } from '../status/status.ts'
import type { PublicConfig } from './config/public-config.ts'

const state = z.enum(['up', 'stale', 'never', 'down', 'external'])

const peerStatus = z.object({
  name: z.string(),
  state,
  address: z.string().describe('Inside the tunnel'),
  endpoint: z.string().nullable().describe('Outside of it, as far as known'),
  handshakeAgeMs: z.number().nullable(),
  heardAgoMs: z.number().nullable(),
  receivedBytes: z.number(),
  sentBytes: z.number(),
})

const tunnelStatus = z.object({
  state: state.describe("The worst of its peers'"),
  backend: z.enum(['kernel', 'userspace', 'external']),
  interface: z.string().nullable(),
  localAddress: z.string().nullable(),
  mtu: z.number().nullable(),
  firewall: z
    .object({
      inPlace: z.boolean(),
      accepts: z.array(z.string()).readonly(),
      forwards: z.boolean(),
    })
    .nullable(),
  peers: z.array(peerStatus).readonly(),
}) satisfies z.ZodType<TunnelStatus>

const side = z.object({ name: z.string(), site: z.string(), publicKey: z.string() })

export const tunnelOutput = z.object({
  status: tunnelStatus,
  self: side.describe('This gateway'),
  peers: z.array(side).readonly().describe('In the order of the configuration'),
  listenPort: z.number().nullable().describe('Null: it is not WireGuard of ours'),
  keepaliveMs: z.number().nullable(),
})

/** A tunnel with what the configuration says of its ends. No private key is among it. */
export type TunnelAnswer = z.output<typeof tunnelOutput>

export function tunnelAnswer(config: PublicConfig, status: TunnelStatus): TunnelAnswer {
  const { tunnel, self, peers } = config
  return {
    status: roundNumbers(status),
    self: { name: self.name, site: self.site, publicKey: self.wireguardPublicKey },
    peers: peers.map(({ name, site, wireguardPublicKey: publicKey }) => {
      return { name, site, publicKey }
    }),
    listenPort: tunnel.kind === 'wireguard' ? tunnel.listenPort : null,
    keepaliveMs: tunnel.kind === 'wireguard' ? tunnel.keepaliveMs : null,
  }
}

export function tunnelShow(config: PublicConfig, status: () => TunnelStatus): Operation {
  return defineOperation({
    name: 'tunnel.show',
    summary: 'say what the tunnel is, each peer with the age of its handshake',
    permission: 'read',
    input: z.strictObject({}),
    output: tunnelOutput,
    run: () => tunnelAnswer(config, status()),
  })
}
