import { plainJson, plainText, plainValue } from '../../base/plain-text.ts'
import { createPaint, type Paint, splitPaint } from './paint.ts'
import { repaint } from './screen.ts'

/**
 * Where commands write: the only one (a test of the source sees to it). Whatever is written here,
 * nothing but our own colours and movements commands the terminal; a text of a database or a peer
 * that would is shown escaped.
 */
export class Terminal {
  readonly #stream: NodeJS.WriteStream

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream
  }

  get isScreen(): boolean {
    return this.#stream.isTTY === true
  }

  /** Undefined where nobody knows. */
  get columns(): number | undefined {
    return this.#stream.columns
  }

  write(text: string): void {
    this.#stream.write(plainText(text))
  }

  /** One JSON value on a line. Big integers are text. */
  writeJson(value: unknown): void {
    this.#stream.write(jsonLine(value))
  }

  /** The value as one JSON object, or as the view of it says, which gets only plain texts. */
  show<T>(flags: { readonly json?: boolean }, value: T, view: (plain: T) => string): void {
    if (flags.json === true) this.writeJson(value)
    else this.write(view(plainValue(value)))
  }

  /** The same with colours, where people want them. */
  showPainted<T>(value: T, view: (plain: T, paint: Paint) => string): void {
    const paint = createPaint(wantsColor(this.#stream))
    this.#stream.write(plainExceptPaint(view(plainValue(value), paint)))
  }

  /** Takes the whole screen, until `leaveScreen`. */
  enterScreen(): void {
    this.#stream.write('\u001b[?25l\u001b[2J')
  }

  leaveScreen(): void {
    this.#stream.write('\u001b[?25h')
  }

  /** The screen shows this and nothing else. */
  paintScreen<T>(value: T, view: (plain: T, paint: Paint) => string): void {
    const paint = createPaint(wantsColor(this.#stream))
    const text = plainExceptPaint(view(plainValue(value), paint))
    const { rows, columns } = this.#stream
    this.#stream.write(repaint(text, { rows, columns }))
  }

  /** Takes back the last lines that were written. */
  eraseLines(count: number): void {
    this.#stream.write(`\u001b[${count}A\u001b[0J`)
  }

  /** Nobody reads any more. */
  onClosedPipe(then: () => void): void {
    this.#stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error
      then()
    })
  }
}

export const output = new Terminal(process.stdout)
export const errorOutput = new Terminal(process.stderr)

/** What a view painted, and nothing else that commands a terminal. */
function plainExceptPaint(text: string): string {
  return splitPaint(text)
    .map((part, index) => (index % 2 === 0 ? plainText(part) : part))
    .join('')
}

function jsonLine(value: unknown): string {
  const text = JSON.stringify(value, (_key, one: unknown) =>
    typeof one === 'bigint' ? one.toString() : one,
  )
  return `${plainJson(text)}\n`
}

/** On a terminal, unless the environment says otherwise (no-color.org). */
function wantsColor(stream: { readonly isTTY?: boolean }): boolean {
  const { NO_COLOR, TERM } = process.env
  return stream.isTTY === true && !NO_COLOR && TERM !== 'dumb'
}
