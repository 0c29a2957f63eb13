import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'

const FLAGS = [
  '--headless',
  '--no-sandbox',
  // Nothing of its own goes out: what leaves is what the page does.
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-default-apps',
  '--no-first-run',
]

/** What a page must not do, as the browser saw it. */
export interface Observed {
  /** Of every request and WebSocket. */
  readonly urls: string[]
  /** Errors and warnings of the console, refused scripts and styles among them. */
  readonly complaints: string[]
}

export interface OpenedPage {
  readonly page: Page
  readonly observed: Observed
}

/** Debian's Chromium, without a window. */
export class TestBrowser implements AsyncDisposable {
  readonly #browser: Browser

  private constructor(browser: Browser) {
    this.#browser = browser
  }

  /** `command`: what runs Chromium, where that is not Chromium itself. */
  static async start(command = 'chromium'): Promise<TestBrowser> {
    const executablePath = command.includes('/') ? command : `/usr/bin/${command}`
    const browser = await chromium.launch({ executablePath, args: FLAGS, headless: true })
    return new TestBrowser(browser)
  }

  /** A page of a browser that has seen nothing yet. */
  async open(url: string, options: BrowserContextOptions = {}): Promise<OpenedPage> {
    const context = await this.#browser.newContext(options)
    const page = await context.newPage()
    const observed: Observed = { urls: [], complaints: [] }
    context.on('request', (request) => observed.urls.push(request.url()))
    page.on('websocket', (socket) => observed.urls.push(socket.url()))
    page.on('pageerror', (error) => observed.complaints.push(String(error)))
    page.on('console', (message) => {
      const type = message.type()
      if (type === 'error' || type === 'warning') observed.complaints.push(message.text())
    })
    await page.goto(url)
    return { page, observed }
  }

  async close(): Promise<void> {
    await this.#browser.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
