/** Of the production gateway of a made-up pair, for tests without a kernel. */
export const tunnelSettings = {
  interfaceName: 'lbunit0',
  listenPort: 51_820,
  mtuBytes: 1340,
  address: '10.77.0.1',
  prefixLength: 30,
  peers: [
    {
      name: 'azure',
      publicKey: 'PEER=',
      tunnelAddress: '10.77.0.2',
      keepaliveMs: 25_000,
      endpoints: [{ host: 'azure.example', port: 51_820 }],
    },
  ],
} as const

/** With a third gateway, which comes to us. */
export const threeSettings = {
  ...tunnelSettings,
  prefixLength: 29,
  peers: [
    ...tunnelSettings.peers,
    {
      name: 'gcp',
      publicKey: 'THIRD=',
      tunnelAddress: '10.77.0.3',
      keepaliveMs: 10_000,
      endpoints: [],
    },
  ],
} as const
