import type { z } from 'zod'
import { LandbridgeError } from '../base/errors.ts'

/** One thing wrong in a file. `message` names the value (never a secret) and what to do. */
export interface ConfigProblem {
  /** Where: `streams[0].database.host`, or for a peer file `peers/ec2.yaml endpoints[0]`. */
  readonly path: string
  readonly message: string
  readonly value?: string | number | boolean
}

type Path = readonly PropertyKey[]

/** Collects problems, so that one run of `landbridge check` names all of them. */
export class Problems {
  readonly #list: ConfigProblem[] = []
  readonly #prefix: string

  /** `prefix` goes before every path: the peer file's name, or nothing. */
  constructor(prefix = '') {
    this.#prefix = prefix
  }

  get list(): readonly ConfigProblem[] {
    return this.#list
  }

  add(path: string, message: string, value?: unknown): void {
    const where = [this.#prefix, path].filter((part) => part !== '').join(' ')
    const shown = showable(value)
    this.#list.push(
      shown === undefined ? { path: where, message } : { path: where, message, value: shown },
    )
  }

  include(other: Problems): void {
    this.#list.push(...other.list)
  }

  /** The parsed section, or null after every problem in it has been added. */
  parse<Schema extends z.ZodType>(
    schema: Schema,
    raw: unknown,
    path: Path,
  ): z.output<Schema> | null {
    const result = schema.safeParse(raw)
    if (result.success) return result.data
    for (const issue of result.error.issues) this.#addIssue(issue, raw, path)
    return null
  }

  #addIssue(issue: z.core.$ZodIssue, raw: unknown, base: Path): void {
    const path = [...base, ...issue.path]
    if (issue.code === 'unrecognized_keys') {
      for (const key of issue.keys) this.add(pathText([...path, key]), unknownKey(key))
      return
    }
    const value = valueAt(raw, issue.path)
    if (value === undefined) {
      this.add(pathText(path), `is missing; it ${issue.message}`)
    } else {
      const shown = showable(value)
      this.add(
        pathText(path),
        `${shown === undefined ? '' : `${JSON.stringify(shown)} `}${issue.message}`,
        value,
      )
    }
  }
}

function unknownKey(key: string): string {
  return key === 'password'
    ? 'is not a known key; name a file with passwordFile or a variable with passwordEnv'
    : 'is not a known key; remove it or correct its spelling'
}

export function pathText(path: Path): string {
  let text = ''
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`
    else text += text === '' ? String(part) : `.${String(part)}`
  }
  return text
}

function valueAt(raw: unknown, path: Path): unknown {
  let value = raw
  for (const part of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined
    value = (value as Record<PropertyKey, unknown>)[part]
  }
  return value
}

/** A scalar that is safe to print. What looks like a key pasted instead of its file is not. */
function showable(value: unknown): string | number | boolean | undefined {
  if (typeof value === 'number' || typeof value === 'boolean') return value
  if (typeof value !== 'string' || /[\r\n]/.test(value) || value.length > 200) return undefined
  return /^[A-Za-z0-9+/]{42,}=*$/.test(value) ? undefined : value
}

export function configError(file: string, problems: readonly ConfigProblem[]): LandbridgeError {
  const lines = problems.map(({ path, message }) => `  ${path === '' ? '' : `${path}: `}${message}`)
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`
  return new LandbridgeError('ERR_CONFIG', `${file} has ${count}:\n${lines.join('\n')}`, {
    remedy: 'correct the file, then run `landbridge check` again',
    details: { file, problems },
  })
}
