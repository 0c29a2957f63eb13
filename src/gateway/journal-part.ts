import type { Journal } from '../api/journal.ts'
import { journalOperation } from '../api/own-operations.ts'
import type { Capability } from './capability.ts'

export function journalPart(journal: Journal): Capability {
  return {
    ground: [journal],
    operations: [journalOperation(journal)],
    problems: () => journal.problems(),
    metrics(sheet) {
      const own = sheet.of('landbridge_journal_')
      const damaged = Number(journal.isDamaged)
      own.gauge('damaged', '1 when a file was not as it had been written', damaged)
      own.gauge('unwritten_lines', 'Lines that the disk did not take yet', journal.unwritten)
    },
  }
}
