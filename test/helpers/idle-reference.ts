import { spawn } from 'node:child_process'

const PROGRAM = `
const net = require('node:net')
const server = net.createServer((socket) => socket.pipe(socket)).listen(0, '127.0.0.1', () => {
  const socket = net.connect(server.address().port, '127.0.0.1').resume()
  setInterval(() => socket.write('a line a second'), 1_000)
})
`

/**
 * A process that does next to nothing: it says a line a second to itself. What its few wake-ups
 * cost is what a wake-up costs on this machine at this moment, which differs by a factor of ten.
 */
export class IdleReference implements Disposable {
  readonly #child = spawn(process.execPath, ['-e', PROGRAM], { stdio: 'ignore' })

  get pid(): number {
    const { pid } = this.#child
    if (pid === undefined) throw new Error('the reference does not run')
    return pid
  }

  [Symbol.dispose](): void {
    this.#child.kill('SIGKILL')
  }
}
