import type { Flavor } from '../../base/flavor.ts'

/** The schema that the lab's load writes to. */
export const LOAD_SCHEMA = 'landbridge_load'

export type Random = () => number

/** A small seeded generator (mulberry32): the same seed makes the same load. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

export function schemaStatements(flavor: Flavor): string[] {
  const document = flavor === 'mysql' ? 'JSON' : 'LONGTEXT CHECK (JSON_VALID(document))'
  return [
    `CREATE DATABASE IF NOT EXISTS ${LOAD_SCHEMA} CHARACTER SET utf8mb4`,
    `CREATE TABLE IF NOT EXISTS ${LOAD_SCHEMA}.ledger (
       id BIGINT UNSIGNED NOT NULL PRIMARY KEY, writer INT NOT NULL,
       written_at DATETIME(6) NOT NULL) ENGINE=InnoDB`,
    `CREATE TABLE IF NOT EXISTS ${LOAD_SCHEMA}.account (
       id INT NOT NULL PRIMARY KEY, balance DECIMAL(20,4) NOT NULL, owner VARCHAR(80) NOT NULL,
       rating DOUBLE, opened DATE, seen TIMESTAMP(3) NULL, KEY by_owner (owner)) ENGINE=InnoDB`,
    `CREATE TABLE IF NOT EXISTS ${LOAD_SCHEMA}.orders (
       id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, account INT NOT NULL,
       state ENUM('new','paid','sent') NOT NULL, flags SET('gift','fast','big') NOT NULL,
       total DECIMAL(12,2) NOT NULL, note TEXT, document ${document},
       placed DATETIME(6) NOT NULL, KEY by_account (account)) ENGINE=InnoDB`,
    `CREATE TABLE IF NOT EXISTS ${LOAD_SCHEMA}.picture (
       id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, kind BIT(12) NOT NULL,
       bytes MEDIUMBLOB NOT NULL) ENGINE=InnoDB`,
    `CREATE TABLE IF NOT EXISTS ${LOAD_SCHEMA}.shape (
       id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, name VARCHAR(40)) ENGINE=InnoDB`,
  ]
}

/** Rows that updates find from the first transaction on. */
export function seedStatements(accounts: number): string[] {
  const rows = Array.from({ length: accounts }, (_, id) => `(${id},1000,'owner ${id}',0.5)`)
  return [
    `INSERT IGNORE INTO ${LOAD_SCHEMA}.account (id, balance, owner, rating) VALUES ${rows.join()}`,
  ]
}

export const ACCOUNTS = 1_000

/**
 * One transaction as one text of several statements: one round trip, so that the load costs the
 * machine little and the servers much. It ends with its ledger row and the COMMIT.
 */
export function transactionText(id: number, writer: number, random: Random): string {
  const statements = ['BEGIN']
  const steps = 1 + Math.floor(random() ** 2 * 6)
  for (let step = 0; step < steps; step += 1) statements.push(stepText(random))
  statements.push(
    `INSERT INTO ${LOAD_SCHEMA}.ledger VALUES (${id},${writer},UTC_TIMESTAMP(6))`,
    'COMMIT',
  )
  return statements.join(';')
}

function stepText(random: Random): string {
  const chance = random()
  const account = Math.floor(random() * ACCOUNTS)
  if (chance < 0.35) return insertOrders(random)
  if (chance < 0.6) {
    return (
      `UPDATE ${LOAD_SCHEMA}.account SET balance = balance + ${(random() * 100 - 50).toFixed(4)}` +
      `, rating = ${random()}, seen = NOW(3) WHERE id = ${account}`
    )
  }
  if (chance < 0.8) {
    return (
      `UPDATE ${LOAD_SCHEMA}.orders SET state = 'paid', note = CONCAT(LEFT(note, 40), 'ü€')` +
      ` WHERE account = ${account} LIMIT 20`
    )
  }
  if (chance < 0.95) {
    return `DELETE FROM ${LOAD_SCHEMA}.orders WHERE account = ${account} ORDER BY id LIMIT 10`
  }
  return insertPicture(random)
}

function insertOrders(random: Random): string {
  const rows = Array.from({ length: 1 + Math.floor(random() ** 3 * 20) }, () => {
    const account = Math.floor(random() * ACCOUNTS)
    const note = 'ordered by telephone, '.repeat(Math.floor(random() * 8))
    const total = (random() * 10_000).toFixed(2)
    const document = `'{"lines":${Math.floor(random() * 9)},"paid":${random() < 0.5}}'`
    return `(${account},'new','gift,big',${total},'${note}',${document},NOW(6))`
  })
  return (
    `INSERT INTO ${LOAD_SCHEMA}.orders (account,state,flags,total,note,document,placed)` +
    ` VALUES ${rows.join()}`
  )
}

/** Mostly a few KiB, now and then 256 KiB; hex of one random block, repeated. */
function insertPicture(random: Random): string {
  const blocks = random() < 0.02 ? 4096 : 1 + Math.floor(random() * 64)
  const block = Array.from({ length: 8 }, () =>
    Math.floor(random() * 2 ** 32)
      .toString(16)
      .padStart(8, '0'),
  ).join('')
  return (
    `INSERT INTO ${LOAD_SCHEMA}.picture (kind,bytes)` +
    ` VALUES (${Math.floor(random() * 4096)},UNHEX(REPEAT('${block}',${blocks * 2})))`
  )
}

/** Changes of definitions, which end up in the binlog as statements. */
export function definitionText(sequence: number): string {
  const steps = [
    `ALTER TABLE ${LOAD_SCHEMA}.shape ADD COLUMN extra_${sequence} INT DEFAULT ${sequence}`,
    `INSERT INTO ${LOAD_SCHEMA}.shape (name) VALUES ('shape ${sequence}')`,
    `CREATE TABLE ${LOAD_SCHEMA}.extra_${sequence} (PRIMARY KEY (id))
       AS SELECT * FROM ${LOAD_SCHEMA}.account WHERE id < 50`,
    `CREATE INDEX by_name_${sequence} ON ${LOAD_SCHEMA}.shape (name)`,
    `DROP TABLE IF EXISTS ${LOAD_SCHEMA}.extra_${sequence - 5}`,
  ]
  if (sequence > 3) {
    steps.push(
      `ALTER TABLE ${LOAD_SCHEMA}.shape DROP COLUMN extra_${sequence - 3},` +
        ` DROP INDEX by_name_${sequence - 3}`,
    )
  }
  return steps.join(';')
}
