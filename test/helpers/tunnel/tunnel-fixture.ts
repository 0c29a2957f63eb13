/** Of the production gateway of a made-up pair, for tests without a kernel. */
export const tunnelSettings = {
  interfaceName: 'lbunit0',
  listenPort: 51_820,
  mtuBytes: 1340,
  address: '10.77.0.1',
  prefixLength: 30,
  peer: { publicKey: 'PEER=', tunnelAddress: '10.77.0.2', keepaliveMs: 25_000 },
} as const
