import type { Journal } from '../api/journal.ts'
import { journalOperation } from '../api/own-operations.ts'
import type { Capability } from './capability.ts'

export function journalPart(journal: Journal): Capability {
  return {
    ground: [journal],
    operations: [journalOperation(journal)],
    problems: () => journal.problems(),
  }
}
