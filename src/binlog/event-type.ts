/**
 * Event type numbers that a decision needs. Everything else is carried unchanged.
 * Source: MySQL libs/mysql/binlog/event/binlog_event.h, MariaDB sql/log_event.h.
 */
export const EventType = {
  Query: 2,
  Stop: 3,
  Rotate: 4,
  IntVar: 5,
  Rand: 13,
  UserVar: 14,
  FormatDescription: 15,
  Xid: 16,
  TableMap: 19,
  /** The source has lost something: a replica stops at it. */
  Incident: 26,
  Heartbeat: 27,
  MysqlGtid: 33,
  MysqlAnonymousGtid: 34,
  MysqlPreviousGtids: 35,
  XaPrepare: 38,
  MysqlHeartbeatV2: 41,
  MysqlTaggedGtid: 42,
  MariadbAnnotateRows: 160,
  MariadbBinlogCheckpoint: 161,
  MariadbGtid: 162,
  MariadbGtidList: 163,
  MariadbStartEncryption: 164,
} as const

export const EventFlag = {
  /** Set in the first event of a file that is still being written; not part of the checksum. */
  BinlogInUse: 0x0001,
  /** Made up by the server for this connection; not in the file. */
  Artificial: 0x0020,
} as const

/** `fe 'bin'`: the first four bytes of every binlog file. */
export const BINLOG_MAGIC = Buffer.from([0xfe, 0x62, 0x69, 0x6e])
export const EVENT_HEADER_BYTES = 19
export const EVENT_CHECKSUM_BYTES = 4
