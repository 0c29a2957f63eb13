import { Readable } from 'node:stream'
import type { Connection } from 'mysql2/promise'
import type { Flavor } from '../../../src/base/flavor.ts'

/** What a stranger might run on the source. Each group gets a connection of its own. */
export interface SqlGroup {
  readonly name: string
  readonly only?: Flavor
  readonly run: (session: SqlSession) => Promise<void>
}

export interface SqlSession {
  readonly flavor: Flavor
  /** Statements one after the other on the group's connection. */
  run(...statements: readonly string[]): Promise<void>
  /** A further connection. */
  open(): Promise<Connection>
  readonly connection: Connection
  /** A file that the server may read, with this content. */
  file(content: string): Promise<string>
}

const plain =
  (...statements: readonly string[]): SqlGroup['run'] =>
  (session) =>
    session.run(...statements)

const definitions = plain(
  'CREATE DATABASE ddl CHARACTER SET utf8mb4',
  'USE ddl',
  'CREATE TABLE parent (id INT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(50) UNIQUE)',
  `CREATE TABLE child (id INT PRIMARY KEY AUTO_INCREMENT, parent_id INT,
     FOREIGN KEY (parent_id) REFERENCES parent (id) ON DELETE CASCADE ON UPDATE CASCADE)`,
  "INSERT INTO parent (name) VALUES ('a'), ('b'), ('c')",
  'INSERT INTO child (parent_id) VALUES (1), (1), (2), (3)',
  'DELETE FROM parent WHERE id = 1',
  'UPDATE parent SET id = 20 WHERE id = 2',
  'ALTER TABLE parent ADD COLUMN extra INT NOT NULL DEFAULT 7 AFTER id, ADD INDEX (extra)',
  'ALTER TABLE parent DROP COLUMN extra',
  'CREATE INDEX by_name ON parent (name(10))',
  'DROP INDEX by_name ON parent',
  'CREATE TABLE moved LIKE parent',
  'INSERT INTO moved SELECT * FROM parent',
  'RENAME TABLE moved TO moved2, parent TO parent2',
  'RENAME TABLE parent2 TO parent',
  'CREATE TABLE emptied (id INT) ; INSERT INTO emptied VALUES (1), (2); TRUNCATE TABLE emptied',
  'CREATE TABLE gone (id INT); INSERT INTO gone VALUES (1); DROP TABLE gone',
  'DROP TABLE IF EXISTS never_there',
  'CREATE VIEW shown AS SELECT p.id, p.name FROM parent p WHERE p.id > 1',
  'CREATE OR REPLACE VIEW shown AS SELECT p.id FROM parent p',
  'CREATE TABLE audit (id INT PRIMARY KEY AUTO_INCREMENT, what VARCHAR(100))',
  `CREATE TRIGGER noted AFTER INSERT ON parent FOR EACH ROW
     INSERT INTO audit (what) VALUES (CONCAT('new ', NEW.name))`,
  "INSERT INTO parent (name) VALUES ('traced'), ('traced too')",
  `CREATE PROCEDURE fill(n INT) BEGIN
     DECLARE i INT DEFAULT 0;
     WHILE i < n DO
       INSERT INTO audit (what) VALUES (CONCAT('row ', i)); SET i = i + 1;
     END WHILE;
   END`,
  'CALL fill(25)',
  'CREATE FUNCTION doubled(n INT) RETURNS INT DETERMINISTIC RETURN n * 2',
  "INSERT INTO audit (what) VALUES (CONCAT('f', doubled(21)))",
  "CREATE EVENT tidying ON SCHEDULE EVERY 1 DAY DISABLE DO DELETE FROM audit WHERE what = 'x'",
  'ALTER EVENT tidying ON SCHEDULE EVERY 2 DAY DISABLE',
  "CREATE USER stranger@'%' IDENTIFIED BY 'stranger-pw'",
  "GRANT SELECT, INSERT ON ddl.* TO stranger@'%'",
  "REVOKE INSERT ON ddl.* FROM stranger@'%'",
  "CREATE USER away@'%' IDENTIFIED BY 'x'; DROP USER away@'%'",
  'CREATE DATABASE ddl2; CREATE TABLE ddl2.t (id INT); DROP DATABASE ddl2',
  'ALTER DATABASE ddl COLLATE utf8mb4_bin',
  'ANALYZE TABLE parent; OPTIMIZE TABLE parent',
  `CREATE TABLE parts (id INT, d DATE) PARTITION BY RANGE (id)
     (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN MAXVALUE)`,
  "INSERT INTO parts VALUES (1, '2020-01-01'), (100, '2021-01-01')",
  'ALTER TABLE parts TRUNCATE PARTITION p0',
  'ALTER TABLE parent ENGINE = InnoDB',
)

const types = plain(
  'CREATE DATABASE types CHARACTER SET utf8mb4',
  'USE types',
  `CREATE TABLE every (
     id BIGINT UNSIGNED PRIMARY KEY AUTO_INCREMENT, t1 TINYINT, s1 SMALLINT UNSIGNED,
     m1 MEDIUMINT, i1 INT ZEROFILL, b1 BIGINT UNSIGNED, f1 FLOAT, d1 DOUBLE,
     n1 DECIMAL(65,30), n2 DECIMAL(10,0), bit1 BIT(1), bit2 BIT(64), bool1 BOOL,
     c1 CHAR(255), v1 VARCHAR(15000), bi1 BINARY(16), vb1 VARBINARY(300),
     tt TINYTEXT, tx TEXT, mt MEDIUMTEXT, lt LONGTEXT, tb TINYBLOB, bl BLOB, mb MEDIUMBLOB,
     lb LONGBLOB, e1 ENUM('a','ß','🜁'), set1 SET('x','y','z'), dt DATE, ti0 TIME, ti6 TIME(6),
     dt0 DATETIME, dt3 DATETIME(3), dt6 DATETIME(6), ts0 TIMESTAMP NULL, ts6 TIMESTAMP(6) NULL,
     y YEAR, j JSON, g GEOMETRY, p POINT, pol POLYGON,
     gen INT GENERATED ALWAYS AS (t1 + 1) VIRTUAL, gen2 INT GENERATED ALWAYS AS (t1 * 2) STORED)`,
  `INSERT INTO every (t1, s1, m1, i1, b1, f1, d1, n1, n2, bit1, bit2, bool1, c1, v1, bi1, vb1, tt,
     tx, mt, lt, tb, bl, mb, lb, e1, set1, dt, ti0, ti6, dt0, dt3, dt6, ts0, ts6, y, j, g, p, pol)
   VALUES (-128, 65535, -8388608, 42, 18446744073709551615, 1.5, -1e308,
     12345678901234567890123456789012345.123456789012345678901234567890, -9999999999, b'1',
     b'1111000011110000111100001111000011110000111100001111000011110001', TRUE, 'c',
     REPEAT('ü', 15000), UNHEX('00FF00FF'), UNHEX(REPEAT('00', 300)), 'tiny', REPEAT('t', 65000),
     REPEAT('m', 100000), REPEAT('l', 100000), 'b', REPEAT('b', 65000), REPEAT('b', 100000),
     REPEAT(UNHEX('00FE01'), 50000), '🜁', 'x,z', '9999-12-31', '-838:59:59', '23:59:59.999999',
     '1000-01-01 00:00:00', '2024-02-29 12:34:56.789', '2024-02-29 12:34:56.789012',
     '2038-01-01 00:00:00', '1970-01-02 00:00:01.000001', 2155,
     '{"a": [1, 2, {"b": null}], "ü": "🜁", "n": 1.5, "big": 12345678901234}',
     ST_GeomFromText('GEOMETRYCOLLECTION(POINT(1 2), LINESTRING(0 0, 1 1))'),
     ST_GeomFromText('POINT(-1.5 2.5)'), ST_GeomFromText('POLYGON((0 0, 0 3, 3 3, 0 0))'))`,
  'INSERT INTO every (t1) VALUES (NULL), (0)',
  "UPDATE every SET j = JSON_SET(j, '$.a[0]', 99), v1 = 'short', bit2 = b'0' WHERE id = 1",
  'CREATE TABLE `ümläut 日本 table` (`spalte ß` INT PRIMARY KEY, `日本` VARCHAR(20)) CHARSET utf8mb4',
  "INSERT INTO `ümläut 日本 table` VALUES (1, '値'), (2, '🜁')",
  'CREATE TABLE `back``tick` (`a``b` INT)',
  'INSERT INTO `back``tick` VALUES (1)',
  'CREATE TABLE nokey (a INT, b VARCHAR(10))',
  "INSERT INTO nokey VALUES (1, 'x'), (1, 'x'), (2, 'y'); DELETE FROM nokey WHERE a = 1 LIMIT 1",
  `CREATE TABLE legacy (id INT PRIMARY KEY, l VARCHAR(50) CHARACTER SET latin1,
     u VARCHAR(50) CHARACTER SET utf16, k VARCHAR(50) CHARACTER SET cp932)`,
  "SET NAMES latin1; INSERT INTO legacy VALUES (1, _latin1 0xE4F6FC, 'u', 'k'); SET NAMES utf8mb4",
  "SET time_zone = '+05:30'; INSERT INTO every (ts0, ts6) VALUES (NOW(), NOW(6))",
  "SET time_zone = SYSTEM; SET sql_mode = ''; INSERT INTO every (t1) VALUES (9999)",
)

/** Bytes of a rows event beside the blob: an INT key and a LONGBLOB in one row. */
const ROWS_EVENT_BYTES = { mysql: 44, mariadb: 42 } as const
const PACKET_BYTES_MAX = 0xffffff

/**
 * An event beyond 16 MiB needs several packets. One that fills its first packet to the last byte
 * (with the status byte before it) is followed by an empty one.
 */
const bigBlobs: SqlGroup['run'] = async (session) => {
  const exact = PACKET_BYTES_MAX - 1 - ROWS_EVENT_BYTES[session.flavor]
  await session.run(
    'CREATE DATABASE big; USE big',
    'CREATE TABLE blobs (id INT PRIMARY KEY AUTO_INCREMENT, v LONGBLOB)',
    ...[exact, exact + 1, 2 * PACKET_BYTES_MAX - 1 - ROWS_EVENT_BYTES[session.flavor]].map(
      (bytes) => `INSERT INTO blobs (v) VALUES (REPEAT('x', ${bytes}))`,
    ),
    'BEGIN; UPDATE blobs SET v = UUID() WHERE id = 2; DELETE FROM blobs WHERE id = 1; COMMIT',
  )
}

const statementFormat =
  (format: string, database: string): SqlGroup['run'] =>
  async (session) => {
    await session.run(
      `CREATE DATABASE ${database} CHARSET utf8mb4; USE ${database}`,
      `SET SESSION binlog_format = ${format}`,
      'CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(100), r DOUBLE)',
      "SET @name = 'of a variable', @number = 42, @real = 1.5, @bytes = UNHEX('FF00')",
      'INSERT INTO t (v, r) VALUES (@name, @number), (HEX(@bytes), @real)',
      'INSERT INTO t (v, r) VALUES (LAST_INSERT_ID(), RAND())',
      'INSERT INTO t (v, r) SELECT v, RAND(3) FROM t ORDER BY id',
      "INSERT INTO t (v) VALUES (NOW(6)), (CONNECTION_ID()), (DATABASE()), ('🜁')",
      "UPDATE t SET v = CONCAT(v, '!') WHERE id % 2 = 0 ORDER BY id",
      'SET INSERT_ID = 500; INSERT INTO t (v) VALUES (LAST_INSERT_ID())',
      'SET TIMESTAMP = 1700000000; INSERT INTO t (v) VALUES (NOW()); SET TIMESTAMP = DEFAULT',
      'BEGIN; DELETE FROM t WHERE id = 1; SAVEPOINT a; DELETE FROM t WHERE id = 2',
      'ROLLBACK TO a; DELETE FROM t WHERE id = 3; RELEASE SAVEPOINT a; COMMIT',
      'CREATE TABLE copied AS SELECT * FROM t ORDER BY id',
      `INSERT INTO t (v) VALUES ('${'long text '.repeat(9)}')`,
      'FLUSH BINARY LOGS',
    )
    const path = await session.file('1\tone\n2\ttwo\n3\tthree\n')
    await session.run(
      'CREATE TABLE loaded (id INT PRIMARY KEY, v VARCHAR(100))',
      `LOAD DATA INFILE '${path}' INTO TABLE loaded`,
      `LOAD DATA INFILE '${path}' REPLACE INTO TABLE loaded (id, @v) SET v = UPPER(@v)`,
    )
    await session.connection.query({
      sql: "LOAD DATA LOCAL INFILE 'unused' INTO TABLE loaded",
      infileStreamFactory: () => Readable.from([Buffer.from('4\tlocal\n5\tlocal too\n')]),
    })
  }

const transactionsOfAllSorts = plain(
  'CREATE DATABASE trx; USE trx',
  'CREATE TABLE a (id INT PRIMARY KEY AUTO_INCREMENT, v INT)',
  'BEGIN; INSERT INTO a (v) VALUES (1); ROLLBACK',
  'BEGIN; INSERT INTO a (v) VALUES (2); SAVEPOINT s; INSERT INTO a (v) VALUES (3)',
  'ROLLBACK TO s; INSERT INTO a (v) VALUES (4); COMMIT',
  'INSERT INTO a (id, v) VALUES (1000, 5); INSERT INTO a (v) VALUES (6)',
  'INSERT INTO a (v) SELECT v + 1 FROM a',
  'REPLACE INTO a (id, v) VALUES (1000, 7); INSERT IGNORE INTO a (id, v) VALUES (1000, 8)',
  'INSERT INTO a (id, v) VALUES (1000, 9) ON DUPLICATE KEY UPDATE v = v + 100',
  'CREATE TEMPORARY TABLE tmp AS SELECT * FROM a; INSERT INTO a (v) SELECT v FROM tmp',
  'UPDATE tmp SET v = 0; DROP TEMPORARY TABLE tmp',
  'CREATE TABLE m (id INT PRIMARY KEY AUTO_INCREMENT, v INT) ENGINE = MyISAM',
  'INSERT INTO m (v) VALUES (1), (2), (3); UPDATE m SET v = v * 2; DELETE FROM m WHERE id = 1',
  'CREATE TABLE created AS SELECT id, v FROM a WHERE v > 2',
  'CREATE TABLE cleared (id INT PRIMARY KEY) ENGINE = MyISAM; DELETE FROM cleared',
  'FLUSH TABLES; FLUSH BINARY LOGS',
  'SET autocommit = 0; INSERT INTO a (v) VALUES (20); COMMIT; SET autocommit = 1',
  'LOCK TABLES a WRITE; INSERT INTO a (v) VALUES (30); UNLOCK TABLES',
  'CREATE TABLE mem (id INT) ENGINE = MEMORY; INSERT INTO mem VALUES (1)',
  'DELETE a, b FROM a JOIN created b ON a.id = b.id WHERE a.id < 5',
)

const row = (name: string) => `INSERT INTO xa.t (v) VALUES ('${name}')`

/** Prepared branches that end in another order than they began, some of them much later. */
const distributed: SqlGroup['run'] = async (session) => {
  await session.run(
    'CREATE DATABASE xa',
    'CREATE TABLE xa.t (id INT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(20))',
  )
  const [one, two, three] = [await session.open(), await session.open(), await session.open()]
  const all = [one, two, three]
  for (const [index, connection] of all.entries()) await connection.query(`XA START 'x${index}'`)
  for (const [index, connection] of all.entries()) await connection.query(row(`x${index}`))
  for (const [index, connection] of all.entries()) await connection.query(`XA END 'x${index}'`)
  for (const [index, connection] of all.entries()) await connection.query(`XA PREPARE 'x${index}'`)
  await session.run(row('between'), 'FLUSH BINARY LOGS', row('after a new file'))
  await two.query("XA COMMIT 'x1'")
  await one.query("XA ROLLBACK 'x0'")
  await session.run(row('last left'), 'FLUSH BINARY LOGS')
  await three.query("XA COMMIT 'x2'")
  await session.run(
    `XA START 'p'; ${row('one phase')}; XA END 'p'; XA COMMIT 'p' ONE PHASE`,
    `XA START 'r'; ${row('rolled back')}; XA END 'r'; XA ROLLBACK 'r'`,
    "XA START 'e'; XA END 'e'; XA PREPARE 'e'; XA COMMIT 'e'",
    `XA START 'bq','branch',7; ${row('q')}; XA END 'bq','branch',7; XA PREPARE 'bq','branch',7`,
    "XA COMMIT 'bq','branch',7",
  )
}

const imagesOf = (image: string): readonly string[] => [
  `SET SESSION binlog_row_image = ${image}`,
  `INSERT INTO images.t (v, w) VALUES ('${image}', REPEAT('w', 5000))`,
  "UPDATE images.t SET v = CONCAT(v, '+') WHERE id % 2 = 0",
  'DELETE FROM images.t WHERE id % 3 = 0',
]

const rowImages = plain(
  'CREATE DATABASE images',
  'CREATE TABLE images.t (id INT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(50), w TEXT)',
  ...imagesOf('MINIMAL'),
  ...imagesOf('NOBLOB'),
  ...imagesOf('FULL'),
)

const flushing = plain(
  'CREATE DATABASE flushing; CREATE TABLE flushing.t (id INT PRIMARY KEY AUTO_INCREMENT, v TEXT)',
  ...Array.from({ length: 6 }, (_, at) => [
    ...Array.from({ length: at % 3 }, () => "INSERT INTO flushing.t (v) VALUES ('v')"),
    'FLUSH BINARY LOGS',
  ]).flat(),
)

const mysqlOwn = plain(
  'CREATE DATABASE own; USE own',
  'CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, v LONGTEXT, j JSON)',
  'SET SESSION binlog_transaction_compression = ON',
  `INSERT INTO t (v, j) VALUES (REPEAT('compress', 100000), '{"a": 1}')`,
  "BEGIN; INSERT INTO t (v) VALUES ('one'); INSERT INTO t (v) VALUES (REPEAT('z', 3000000))",
  'COMMIT',
  'SET SESSION binlog_transaction_compression = OFF',
  "SET SESSION binlog_row_value_options = 'PARTIAL_JSON'",
  `UPDATE t SET j = JSON_OBJECT('a', REPEAT('a', 3000), 'b', 2) WHERE id = 1`,
  "UPDATE t SET j = JSON_SET(j, '$.b', 3) WHERE id = 1; UPDATE t SET j = JSON_REMOVE(j, '$.a')",
  "SET SESSION binlog_row_value_options = ''",
  "SET gtid_next = 'AUTOMATIC:nightly'; INSERT INTO t (v) VALUES ('tagged')",
  "SET gtid_next = 'AUTOMATIC:a_longer_tag_of_32_characters_x'; INSERT INTO t (v) VALUES ('t2')",
  "SET gtid_next = '11111111-2222-3333-4444-555555555555:7'; BEGIN; COMMIT",
  "SET gtid_next = '11111111-2222-3333-4444-555555555555:9'; INSERT INTO t (v) VALUES ('hole')",
  "SET gtid_next = '11111111-2222-3333-4444-555555555555:tag:3'; BEGIN; COMMIT",
  "SET gtid_next = 'AUTOMATIC'; INSERT INTO t (v) VALUES ('plain')",
  'SET SESSION binlog_rows_query_log_events = ON',
  "INSERT INTO t (v) VALUES ('with its query')",
  'SET SESSION binlog_rows_query_log_events = OFF; CREATE ROLE reader',
  'GRANT reader TO root@localhost',
  "ALTER USER stranger@'%' PASSWORD EXPIRE NEVER; CREATE SPATIAL REFERENCE SYSTEM 40000001 NAME" +
    ` 'own' DEFINITION '${[
      'GEOGCS["WGS 84",DATUM["WGS 84",SPHEROID["WGS 84",6378137,298.257223563]]',
      'PRIMEM["Greenwich",0],UNIT["degree",0.017453292519943278]',
      'AXIS["Lat",NORTH],AXIS["Lon",EAST]]',
    ].join(',')}'`,
  'CREATE TABLE inv (id INT, KEY k (id) INVISIBLE, hidden INT INVISIBLE DEFAULT 5)',
  'INSERT INTO inv (id) VALUES (1); ALTER TABLE inv ALTER INDEX k VISIBLE, ALGORITHM = INPLACE',
  'ALTER TABLE inv ADD COLUMN later INT DEFAULT 9, ALGORITHM = INSTANT',
  'CREATE TABLE v (id INT PRIMARY KEY, e VECTOR(3))',
  'INSERT INTO v VALUES (1, STRING_TO_VECTOR("[1,2,3]"))',
  'CREATE TABLE nogenerated (id INT, UNIQUE KEY ((id + 1)), CHECK (id > 0))',
  'INSERT INTO nogenerated VALUES (1)',
)

const mariadbOwn = plain(
  'CREATE DATABASE own; USE own',
  'CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, v LONGTEXT)',
  ...[5, 7, 4_294_967_295, 5, 0].flatMap((domain) => [
    `SET SESSION gtid_domain_id = ${domain}`,
    `INSERT INTO t (v) VALUES ('domain ${domain}')`,
    'FLUSH BINARY LOGS',
  ]),
  'SET SESSION gtid_domain_id = 0; SET SESSION server_id = 77',
  "INSERT INTO t (v) VALUES ('of another server')",
  'SET SESSION server_id = 1; SET SESSION skip_parallel_replication = 1',
  "INSERT INTO t (v) VALUES ('p')",
  'SET SESSION skip_parallel_replication = 0',
  'SET GLOBAL log_bin_compress = ON, GLOBAL log_bin_compress_min_len = 10',
  "INSERT INTO t (v) VALUES (REPEAT('compress', 100000))",
  "INSERT INTO t (v) VALUES (REPEAT('z', 20000000))",
  'SET SESSION binlog_format = STATEMENT',
  'CREATE TABLE `a table whose definition is compressed` (id INT)',
  `INSERT INTO t (v) VALUES ('${'a statement that is long enough '.repeat(20)}')`,
  'UPDATE t SET v = CONCAT(v, "!") WHERE id < 3; SET SESSION binlog_format = ROW',
  'SET GLOBAL log_bin_compress = OFF',
  'CREATE TABLE aria (id INT PRIMARY KEY, v INT) ENGINE = Aria TRANSACTIONAL = 1',
  'INSERT INTO aria VALUES (1, 1), (2, 2); UPDATE aria SET v = 5; DELETE FROM aria WHERE id = 2',
  'CREATE TABLE aria0 (id INT) ENGINE = Aria TRANSACTIONAL = 0; INSERT INTO aria0 VALUES (1)',
  'BEGIN; INSERT INTO t (v) VALUES ("mixed"); INSERT INTO aria VALUES (9, 9); COMMIT',
  'BEGIN; INSERT INTO aria VALUES (10, 9); INSERT INTO t (v) VALUES ("mixed 2"); ROLLBACK',
  'SET SESSION binlog_format = STATEMENT; SET SESSION binlog_direct_non_transactional_updates = ON',
  'BEGIN; INSERT INTO t (v) VALUES ("m3"); INSERT INTO aria VALUES (11, 9); COMMIT',
  'SET SESSION binlog_format = MIXED; BEGIN; INSERT INTO aria VALUES (12, 9)',
  'INSERT INTO t (v) VALUES (UUID()); ROLLBACK; SET SESSION binlog_format = ROW',
  'CREATE SEQUENCE s START WITH 100 INCREMENT BY 10 CACHE 5',
  'SELECT NEXTVAL(s); INSERT INTO t (v) VALUES (NEXTVAL(s)); ALTER SEQUENCE s RESTART 500',
  'CREATE OR REPLACE TABLE replaced AS SELECT * FROM t WHERE id < 3',
  'CREATE OR REPLACE TABLE replaced (id INT)',
  'CREATE TABLE versioned (id INT PRIMARY KEY, v INT) WITH SYSTEM VERSIONING',
  'INSERT INTO versioned VALUES (1, 1); UPDATE versioned SET v = 2; DELETE FROM versioned',
  'CREATE TABLE more (id UUID PRIMARY KEY, a INET6, b INET4)',
  'INSERT INTO more VALUES (UUID(), "::1", "10.1.1.1")',
  'INSERT INTO t (v) VALUES ("back") RETURNING id; DELETE FROM t WHERE id = 1 RETURNING v',
  'ALTER TABLE t ADD COLUMN w INT DEFAULT 3, ALGORITHM = INSTANT; ALTER TABLE t DROP COLUMN w',
  'BEGIN NOT ATOMIC INSERT INTO t (v) VALUES ("block"); INSERT INTO t (v) VALUES ("block"); END',
  'SET STATEMENT sql_log_bin = 0 FOR SET @x = 1',
  'EXECUTE IMMEDIATE "INSERT INTO own.t (v) VALUES (1)"',
  'CREATE ROLE reader; GRANT SELECT ON own.* TO reader',
  'SET SESSION binlog_annotate_row_events = OFF; INSERT INTO t (v) VALUES ("bare")',
  'SET SESSION binlog_alter_two_phase = ON; ALTER TABLE t ADD COLUMN two_phase INT',
)

export const STRANGER_SQL: readonly SqlGroup[] = [
  { name: 'definitions', run: definitions },
  { name: 'every column type', run: types },
  { name: 'statement format', run: statementFormat('STATEMENT', 'sbr') },
  { name: 'mixed format', run: statementFormat('MIXED', 'mbr') },
  { name: 'row format', run: statementFormat('ROW', 'rbr') },
  { name: 'transactions', run: transactionsOfAllSorts },
  { name: 'XA', run: distributed },
  { name: 'row images', run: rowImages },
  { name: 'FLUSH LOGS', run: flushing },
  { name: 'MySQL’s own', only: 'mysql', run: mysqlOwn },
  { name: 'MariaDB’s own', only: 'mariadb', run: mariadbOwn },
  { name: 'blobs beyond 16 MiB', run: bigBlobs },
]
