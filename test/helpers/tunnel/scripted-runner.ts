import { LandbridgeError } from '../../../src/base/errors.ts'
import type { ProcessRunner } from '../../../src/tunnel/process-runner.ts'

type Answer = string | Error

/** Runs nothing: notes every call as one line and answers by the longest prefix that fits. */
export class ScriptedRunner implements ProcessRunner {
  readonly calls: string[] = []
  readonly inputs: string[] = []
  readonly #answers: Map<string, Answer>
  readonly #missing: readonly string[]

  constructor(answers: Readonly<Record<string, Answer>>, missing: readonly string[] = []) {
    this.#answers = new Map(Object.entries(answers))
    this.#missing = missing
  }

  answer(prefix: string, answer: Answer): void {
    this.#answers.set(prefix, answer)
  }

  async find(program: string): Promise<string | null> {
    return this.#missing.includes(program) ? null : `/usr/sbin/${program}`
  }

  async run(
    program: string,
    args: readonly string[],
    options: { readonly stdin?: string } = {},
  ): Promise<string> {
    const call = [program, ...args].join(' ')
    this.calls.push(call)
    if (options.stdin !== undefined) this.inputs.push(options.stdin)
    const fitting = [...this.#answers.keys()].filter((prefix) => call.startsWith(prefix))
    const answer = this.#answers.get(fitting.sort((a, b) => b.length - a.length)[0] ?? '') ?? ''
    if (answer instanceof Error) throw answer
    return answer
  }
}

export function commandFailed(text = 'no'): LandbridgeError {
  return new LandbridgeError('ERR_TUNNEL_COMMAND', text, { retryable: true })
}
