/** Capability bits of the MySQL protocol that landbridge speaks or must recognise. */
export const Capability = {
  LongPassword: 1 << 0,
  FoundRows: 1 << 1,
  LongFlag: 1 << 2,
  ConnectWithDatabase: 1 << 3,
  Compress: 1 << 5,
  Protocol41: 1 << 9,
  Interactive: 1 << 10,
  Ssl: 1 << 11,
  Transactions: 1 << 13,
  SecureConnection: 1 << 15,
  MultiStatements: 1 << 16,
  MultiResults: 1 << 17,
  PluginAuth: 1 << 19,
  ConnectAttributes: 1 << 20,
  PluginAuthLenenc: 1 << 21,
  DeprecateEof: 1 << 24,
} as const
