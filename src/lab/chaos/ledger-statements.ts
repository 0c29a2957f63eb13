import type { Random } from '../load/workload-statements.ts'

export const LEDGER_SCHEMA = 'landbridge_ledger'

const ACCOUNTS = 200
const CHANCE_OF_LARGE = 0.02

export function ledgerSchema(): string[] {
  const accounts = Array.from({ length: ACCOUNTS }, (_, id) => `(${id},1000,0)`)
  return [
    `CREATE DATABASE ${LEDGER_SCHEMA} CHARACTER SET utf8mb4`,
    // Without a key: a transaction that is applied twice leaves two rows instead of an error.
    `CREATE TABLE ${LEDGER_SCHEMA}.trace (
       txn BIGINT UNSIGNED NOT NULL, writer INT NOT NULL, mark CHAR(12) NOT NULL) ENGINE=InnoDB`,
    `CREATE TABLE ${LEDGER_SCHEMA}.entry (
       id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, txn BIGINT UNSIGNED NOT NULL,
       payload MEDIUMBLOB NOT NULL) ENGINE=InnoDB`,
    `CREATE TABLE ${LEDGER_SCHEMA}.account (
       id INT NOT NULL PRIMARY KEY, balance BIGINT NOT NULL, txns INT NOT NULL) ENGINE=InnoDB`,
    `CREATE TABLE ${LEDGER_SCHEMA}.bulk (
       id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, bytes MEDIUMBLOB NOT NULL) ENGINE=InnoDB`,
    `INSERT INTO ${LEDGER_SCHEMA}.account VALUES ${accounts.join()}`,
  ]
}

/**
 * One transaction over three tables, without its COMMIT, which is sent apart. Its mark is put
 * together by the server, so that in the binlog it stands in the row alone, not in a statement.
 */
export function ledgerTransaction(id: number, writer: number, random: Random): string {
  const schema = LEDGER_SCHEMA
  const large = random() < CHANCE_OF_LARGE
  const rows = large ? 8 + Math.floor(random() * 40) : 1 + Math.floor(random() * 6)
  const repeats = large ? 2_048 : 1 + Math.floor(random() * 40)
  const entries = Array.from({ length: rows }, () => {
    const block = Math.floor(random() * 2 ** 32)
      .toString(16)
      .padStart(16, '0')
    return `(${id},REPEAT('${block}',${repeats}))`
  })
  const from = Math.floor(random() * ACCOUNTS)
  const to = Math.floor(random() * ACCOUNTS)
  const move = (account: number, sum: number) =>
    `UPDATE ${schema}.account SET balance = balance + ${sum}, txns = txns + 1 WHERE id = ${account}`
  return [
    'BEGIN',
    `INSERT INTO ${schema}.entry (txn, payload) VALUES ${entries.join()}`,
    // In one order for all, so that few of them have to be sent again.
    move(Math.min(from, to), -1),
    move(Math.max(from, to), 1),
    `INSERT INTO ${schema}.trace VALUES (${id},${writer},CONCAT('#T',LPAD(${id},9,'0'),'#'))`,
  ].join(';')
}

/** `#T000000042#`: 12 bytes of a row image that nothing else in a binlog looks like. */
export const MARK_START = Buffer.from('#T')
export const MARK_BYTES = 12
const MARK = /^#T(\d{9})#$/

/** The ids of all marks in `bytes`, in order. */
export function* marksIn(bytes: Buffer): Generator<number> {
  for (let at = bytes.indexOf(MARK_START); at !== -1; at = bytes.indexOf(MARK_START, at + 1)) {
    const match = MARK.exec(bytes.toString('latin1', at, at + MARK_BYTES))
    if (match !== null) yield Number(match[1])
  }
}
