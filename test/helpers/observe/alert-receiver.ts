import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'

export interface ReceivedPost {
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly body: WebhookBody
}

export interface WebhookBody {
  readonly version: string
  readonly status: string
  readonly groupKey: string
  readonly truncatedAlerts: number
  readonly alerts: readonly {
    readonly status: string
    readonly labels: Readonly<Record<string, string>>
    readonly annotations: Readonly<Record<string, string>>
    readonly startsAt: string
    readonly endsAt: string
    readonly fingerprint: string
  }[]
}

type Answer =
  | { readonly status: number; readonly headers?: Record<string, string> }
  | 'silence'
  | 'endless'
  | 'hang up'

/** A receiver of webhooks on the loopback, which fails as it is told. */
export class AlertReceiver implements AsyncDisposable {
  answer: Answer = { status: 200 }
  readonly posts: ReceivedPost[] = []
  readonly #server: Server
  #scheme: 'http' | 'https' = 'http'

  private constructor(tls?: { readonly key: string; readonly cert: string }) {
    const handle: Parameters<typeof createServer>[1] = (request, response) => {
      let text = ''
      request.setEncoding('utf8').on('data', (part: string) => {
        text += part
      })
      request.on('error', () => {})
      response.on('error', () => {})
      request.on('end', () => {
        const { url = '', headers } = request
        this.posts.push({ url, headers, body: JSON.parse(text) as WebhookBody })
        const { answer } = this
        if (answer === 'silence') return
        if (answer === 'hang up') return request.socket.destroy()
        if (answer === 'endless') {
          response.writeHead(200)
          const more = (): void => {
            while (!response.destroyed && response.write('x'.repeat(65_536)));
            if (!response.destroyed) response.once('drain', more)
          }
          return more()
        }
        response.writeHead(answer.status, answer.headers).end('noted')
      })
    }
    this.#server = tls === undefined ? createServer(handle) : createTlsServer(tls, handle)
    if (tls !== undefined) this.#scheme = 'https'
  }

  static async start(tls?: {
    readonly key: string
    readonly cert: string
  }): Promise<AlertReceiver> {
    const receiver = new AlertReceiver(tls)
    await new Promise<void>((resolve) => receiver.#server.listen(0, '127.0.0.1', resolve))
    return receiver
  }

  get origin(): string {
    return `${this.#scheme}://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Of all messages, each alert as `status code`. */
  told(): string[] {
    return this.posts.map(({ body }) =>
      body.alerts.map(({ status, labels }) => `${status} ${labels.code}`).join(', '),
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    this.#server.closeAllConnections()
    await closed
  }
}
