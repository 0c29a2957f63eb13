import { EVENT_CHECKSUM_BYTES, EVENT_HEADER_BYTES, EventFlag, EventType } from '../event-type.ts'
import { crc32Table } from './crc32.ts'
import { compileWat, type KernelFunction } from './wat.ts'

/**
 * The part of the hot path that costs per event rather than per byte, in WebAssembly: walking over
 * short events and checking their CRC32. A busy server writes millions of events of some ten to
 * some hundred bytes; in JavaScript their sums and headers cost more than everything else.
 *
 * Both walks only ever pass over what is beyond doubt: the event is whole, small, of a type that
 * asks for no decision, and its sum agrees. At anything else they stop, and JavaScript looks at
 * that event in full and says what is wrong with it, if anything is. So no rule lives here alone.
 *
 * Memory: CRC tables | types that stop a walk, one byte each | result | the chunk under way.
 * Nothing in it outlives the call that put it there; so one kernel does for all users that do not
 * call each other.
 */
const CRC_TABLES = 16
const TABLE_BYTES = 1024
const STOP_IN_TRANSACTION = CRC_TABLES * TABLE_BYTES
const STOP_IN_DUMP = STOP_IN_TRANSACTION + 256
const RESULT = STOP_IN_DUMP + 256
const CHUNK = RESULT + 64
/** The largest chunk that fits: what one read or one frame brings. */
export const KERNEL_CHUNK_BYTES_MAX = 1024 * 1024
const PAGE_BYTES = 65_536
const PAGES = Math.ceil((CHUNK + KERNEL_CHUNK_BYTES_MAX) / PAGE_BYTES)
/** Beyond this zlib's sum, with the processor's own instructions, is faster. */
export const KERNEL_EVENT_BYTES_MAX = 4096
/** Length 3, sequence 1, status 1: what stands before each event in a dump. */
const PACKET_BYTES = 5

/** The table's entry for the byte of `word` that begins at bit `shift`; entries have 4 bytes. */
function lookup(table: number, word: string, shift: number): string {
  const [move, by] = shift === 0 ? ['i32.shl', 2] : ['i32.shr_u', shift - 2]
  return `(i32.load offset=${table * TABLE_BYTES}
    (i32.and (${move} (local.get ${word}) (i32.const ${by})) (i32.const 0x3fc)))`
}

/**
 * Sixteen bytes in four words: each byte has a table of its own ("slicing by 16"). The first word
 * comes last, since it alone waits for the sum so far.
 */
function sliceBy16(words: readonly string[]): string {
  return words
    .flatMap((word, at) => [0, 1, 2, 3].map((byte) => lookup(15 - 4 * at - byte, word, 8 * byte)))
    .reverse()
    .reduce((sum, term) => `(i32.xor ${sum} ${term})`)
}

const SOURCE = `(module
  (import "kernel" "memory" (memory ${PAGES}))

  ;; CRC32 of the bytes from $at to before $end.
  (func $sum (export "sum") (param $at i32) (param $end i32) (result i32)
    (local $crc i32) (local $w0 i32) (local $w1 i32) (local $w2 i32) (local $w3 i32)
    (local.set $crc (i32.const -1))
    (block $short (loop $more
      (br_if $short (i32.lt_u (i32.sub (local.get $end) (local.get $at)) (i32.const 16)))
      (local.set $w0 (i32.xor (local.get $crc) (i32.load offset=0 (local.get $at))))
      (local.set $w1 (i32.load offset=4 (local.get $at)))
      (local.set $w2 (i32.load offset=8 (local.get $at)))
      (local.set $w3 (i32.load offset=12 (local.get $at)))
      (local.set $crc ${sliceBy16(['$w0', '$w1', '$w2', '$w3'])})
      (local.set $at (i32.add (local.get $at) (i32.const 16)))
      (br $more)))
    (block $done (loop $more
      (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
      (local.set $w0 (i32.xor (local.get $crc) (i32.load8_u offset=0 (local.get $at))))
      (local.set $crc (i32.xor (i32.shr_u (local.get $crc) (i32.const 8))
        ${lookup(0, '$w0', 0)}))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br $more)))
    (i32.xor (local.get $crc) (i32.const -1)))

  ;; Bytes of the event at $at if it is whole before $end, small, and its sum agrees; else 0.
  ;; $stop: the table of types that are left to the caller.
  (func $soundBytes (param $at i32) (param $end i32) (param $stop i32) (result i32)
    (local $size i32) (local $sum i32)
    (block $doubt
      (br_if $doubt (i32.lt_u (i32.sub (local.get $end) (local.get $at))
        (i32.const ${EVENT_HEADER_BYTES})))
      (br_if $doubt (i32.load8_u offset=0 (i32.add (local.get $stop)
        (i32.load8_u offset=4 (local.get $at)))))
      (local.set $size (i32.load offset=9 (local.get $at)))
      (br_if $doubt (i32.lt_u (local.get $size)
        (i32.const ${EVENT_HEADER_BYTES + EVENT_CHECKSUM_BYTES})))
      (br_if $doubt (i32.gt_u (local.get $size) (i32.const ${KERNEL_EVENT_BYTES_MAX})))
      (br_if $doubt (i32.gt_u (local.get $size) (i32.sub (local.get $end) (local.get $at))))
      (local.set $sum (i32.sub (i32.add (local.get $at) (local.get $size))
        (i32.const ${EVENT_CHECKSUM_BYTES})))
      (br_if $doubt (i32.ne (call $sum (local.get $at) (local.get $sum))
        (i32.load offset=0 (local.get $sum))))
      (return (local.get $size)))
    (i32.const 0))

  ;; In a file: passes over sound events that end before $limit; returns where it stopped.
  (func $walk (export "walk") (param $at i32) (param $end i32) (param $limit i32) (result i32)
    (local $size i32)
    (block $stop (loop $more
      (local.set $size (call $soundBytes (local.get $at) (local.get $end)
        (i32.const ${STOP_IN_TRANSACTION})))
      (br_if $stop (i32.eqz (local.get $size)))
      (local.set $size (i32.add (local.get $at) (local.get $size)))
      (br_if $stop (i32.ge_u (local.get $size) (local.get $limit)))
      (local.set $at (local.get $size))
      (br $more)))
    (local.get $at))

  ;; In a dump: moves the events of sound packets together, from the first packet's place on.
  ;; Events must follow each other without a gap from $offset of the file. Returns where it
  ;; stopped; stores how many packets it took.
  (func $unpack (export "unpack") (param $at i32) (param $end i32) (param $offset i32)
    (param $sequence i32) (result i32)
    (local $out i32) (local $size i32) (local $count i32) (local $event i32)
    (local.set $out (local.get $at))
    (block $stop (loop $more
      (br_if $stop (i32.lt_u (i32.sub (local.get $end) (local.get $at))
        (i32.const ${PACKET_BYTES + EVENT_HEADER_BYTES})))
      (br_if $stop (i32.ne (i32.load8_u offset=3 (local.get $at)) (local.get $sequence)))
      (br_if $stop (i32.load8_u offset=4 (local.get $at)))
      (local.set $event (i32.add (local.get $at) (i32.const ${PACKET_BYTES})))
      (br_if $stop (i32.and (i32.load16_u offset=17 (local.get $event))
        (i32.const ${EventFlag.Artificial})))
      (local.set $size (call $soundBytes (local.get $event) (local.get $end)
        (i32.const ${STOP_IN_DUMP})))
      (br_if $stop (i32.eqz (local.get $size)))
      (br_if $stop (i32.ne (i32.add (local.get $size) (i32.const 1))
        (i32.and (i32.load offset=0 (local.get $at)) (i32.const 0xffffff))))
      (local.set $offset (i32.add (local.get $offset) (local.get $size)))
      ;; The end of the event in its file, modulo 4 GiB; 0 where the source does not say.
      (br_if $stop (i32.and
        (i32.ne (i32.load offset=13 (local.get $event)) (i32.const 0))
        (i32.ne (i32.load offset=13 (local.get $event)) (local.get $offset))))
      (memory.copy (local.get $out) (local.get $event) (local.get $size))
      (local.set $out (i32.add (local.get $out) (local.get $size)))
      (local.set $at (i32.add (local.get $event) (local.get $size)))
      (local.set $sequence (i32.and (i32.add (local.get $sequence) (i32.const 1))
        (i32.const 255)))
      (local.set $count (i32.add (local.get $count) (i32.const 1)))
      (br $more)))
    (i32.store offset=0 (i32.const ${RESULT}) (local.get $count))
    (local.get $at)))`

/** Types that no dump passes on unseen: the source makes them up, or they rule what follows. */
const STOPS_IN_DUMP = [
  EventType.Rotate,
  EventType.FormatDescription,
  EventType.Heartbeat,
  EventType.MysqlHeartbeatV2,
]

/** Types that begin or end a transaction, or stand between two. */
const STOPS_IN_TRANSACTION = [
  ...STOPS_IN_DUMP,
  EventType.Query,
  EventType.Stop,
  EventType.Xid,
  EventType.XaPrepare,
  EventType.MysqlGtid,
  EventType.MysqlAnonymousGtid,
  EventType.MysqlTaggedGtid,
  EventType.MysqlPreviousGtids,
  EventType.MariadbGtid,
  EventType.MariadbGtidList,
  EventType.MariadbBinlogCheckpoint,
  EventType.MariadbStartEncryption,
]

const instantiate = compileWat(SOURCE, PAGES)

export class EventKernel {
  /** The events that `unpackDump` took. Valid until the next `load`. */
  readonly unpacked: Buffer
  readonly #memory: Buffer
  readonly #result: Int32Array
  readonly #sum: KernelFunction
  readonly #walk: KernelFunction
  readonly #unpack: KernelFunction

  constructor() {
    const { memory, exports } = instantiate()
    const { sum, walk, unpack } = exports as Record<'sum' | 'walk' | 'unpack', KernelFunction>
    this.#sum = sum
    this.#walk = walk
    this.#unpack = unpack
    this.#memory = Buffer.from(memory)
    this.#result = new Int32Array(memory, RESULT, 1)
    this.unpacked = this.#memory.subarray(CHUNK)
    for (let table = 0; table < CRC_TABLES; table += 1) {
      new Int32Array(memory, table * TABLE_BYTES, 256).set(crc32Table(table))
    }
    for (const type of STOPS_IN_TRANSACTION) this.#memory[STOP_IN_TRANSACTION + type] = 1
    for (const type of STOPS_IN_DUMP) this.#memory[STOP_IN_DUMP + type] = 1
  }

  /** Takes in `chunk[start, end)`; the walks below speak of offsets from `start`. */
  load(chunk: Buffer, start: number, end: number): void {
    chunk.copy(this.unpacked, 0, start, end)
  }

  /** CRC32 of what was taken in from `at` to before `end`. */
  sum(at: number, end: number): number {
    return this.#sum(CHUNK + at, CHUNK + end) >>> 0
  }

  /**
   * Walks from an event at `at` over sound events inside a transaction, as far as they end before
   * `limit`; returns where the first one begins that needs a look.
   */
  walkTransaction(at: number, end: number, limit: number): number {
    const stop = Math.min(limit, 2 * KERNEL_CHUNK_BYTES_MAX)
    return this.#walk(CHUNK + at, CHUNK + end, CHUNK + stop) - CHUNK
  }

  /**
   * Walks from a packet at `at` over packets that carry one sound event each, in `sequence`,
   * without a gap from `offset` of the file; leaves their events in `unpacked` from `at` on.
   * Returns where the first packet begins that needs a look; `packetCount` says how many it took.
   */
  unpackDump(at: number, end: number, offset: number, sequence: number): number {
    return this.#unpack(CHUNK + at, CHUNK + end, offset | 0, sequence) - CHUNK
  }

  get packetCount(): number {
    return this.#result[0] as number
  }
}
