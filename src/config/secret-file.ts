import { open } from 'node:fs/promises'
import { isAbsolute, join, resolve } from 'node:path'
import { deniedRemedy, isDenied } from '../base/denied.ts'
import { codeOf } from '../base/errors.ts'
import { Secret } from '../base/secret.ts'
import type { Problems } from './problem.ts'

const FILE_BYTES_MAX = 256 * 1024
const CREDENTIAL_PREFIX = 'credential:'

export interface FilesOptions {
  /** Folder that relative paths start from: the one with the gateway's file. */
  readonly directory: string
  readonly env: Readonly<Record<string, string | undefined>>
}

/** Reads the files that a gateway file names, adding a problem for each that cannot be used. */
export class ConfigFiles {
  readonly #directory: string
  readonly #env: FilesOptions['env']
  readonly #problems: Problems

  constructor(options: FilesOptions, problems: Problems) {
    this.#directory = options.directory
    this.#env = options.env
    this.#problems = problems
  }

  /** `credential:NAME` is a file that systemd's LoadCredential= or a like service put there. */
  resolve(path: string): string {
    if (!path.startsWith(CREDENTIAL_PREFIX)) return resolve(this.#directory, path)
    const folder = this.#env.CREDENTIALS_DIRECTORY ?? '/run/credentials'
    return join(folder, path.slice(CREDENTIAL_PREFIX.length))
  }

  async text(where: string, path: string): Promise<string | null> {
    return this.#read(where, path, false)
  }

  async pem(where: string, path: string, label: string): Promise<string | null> {
    return this.#pem(where, path, await this.#read(where, path, false), label)
  }

  async secretPem(where: string, path: string): Promise<Secret | null> {
    const content = await this.#pem(where, path, await this.#read(where, path, true), 'PRIVATE KEY')
    return content === null ? null : new Secret(content)
  }

  /** Content without the line end that editors put behind it. */
  async secret(where: string, path: string): Promise<Secret | null> {
    const content = (await this.#read(where, path, true))?.replace(/\r?\n$/, '') ?? null
    if (content !== '') return content === null ? null : new Secret(content)
    this.#problems.add(where, `${this.#shown(path)} is empty; write the secret into it`)
    return null
  }

  /** The password of a section that has passwordFile or passwordEnv. */
  async password(
    where: string,
    section: {
      readonly passwordFile?: string | undefined
      readonly passwordEnv?: string | undefined
    },
  ): Promise<Secret | null> {
    const { passwordFile, passwordEnv } = section
    if ((passwordFile === undefined) === (passwordEnv === undefined)) {
      const found = passwordFile === undefined ? 'has no password' : 'has two passwords'
      this.#problems.add(where, `${found}; set one of passwordFile and passwordEnv`)
      return null
    }
    if (passwordFile !== undefined) {
      const setting = `${where}.passwordFile`
      return this.#oneLine(setting, await this.secret(setting, passwordFile))
    }
    const value = passwordEnv === undefined ? undefined : this.#env[passwordEnv]
    if (value !== undefined && value !== '') {
      return this.#oneLine(`${where}.passwordEnv`, new Secret(value))
    }
    this.#problems.add(
      `${where}.passwordEnv`,
      `the environment variable ${passwordEnv} is not set; set it or use passwordFile`,
    )
    return null
  }

  /** No server takes another: it would quote the password in an error. */
  #oneLine(where: string, password: Secret | null): Secret | null {
    if (password === null || !/[\r\n]/.test(password.reveal())) return password
    this.#problems.add(where, 'is of several lines; write the password alone, in one line')
    return null
  }

  #pem(where: string, path: string, content: string | null, label: string): string | null {
    if (content === null || new RegExp(`^-----BEGIN ([A-Z]+ )?${label}-----`, 'm').test(content)) {
      return content
    }
    this.#problems.add(where, `${this.#shown(path)} is not a PEM file with a ${label}`)
    return null
  }

  async #read(where: string, path: string, isSecret: boolean): Promise<string | null> {
    try {
      const file = await open(this.resolve(path), 'r')
      try {
        const { mode, size } = await file.stat()
        if (isSecret && (mode & 0o007) !== 0) this.#addOpenMode(where, path, mode)
        if (size <= FILE_BYTES_MAX) return await file.readFile('utf8')
        this.#problems.add(where, `${this.#shown(path)} is ${size} bytes long: the wrong file?`)
        return null
      } finally {
        await file.close()
      }
    } catch (error) {
      const code = codeOf(error)
      this.#problems.add(
        where,
        `${this.#shown(path)} cannot be read (${code}); ${this.#remedy(path, code, isSecret)}`,
      )
      return null
    }
  }

  /** A person at a prompt has no credentials: systemd makes them for the unit only. */
  #remedy(path: string, code: string, isSecret: boolean): string {
    if (path.startsWith(CREDENTIAL_PREFIX) && this.#env.CREDENTIALS_DIRECTORY === undefined) {
      return 'run this with `systemd-run -p LoadCredential=...` (gateway/README.md, "systemd")'
    }
    // Of what may be the secret itself nothing is said.
    if (isDenied(code) && this.#isPath(path)) {
      return deniedRemedy(this.resolve(path), isSecret ? 'secret' : 'read')
    }
    return code === 'ENOENT' ? 'create it or correct the path' : 'make it readable'
  }

  #addOpenMode(where: string, path: string, mode: number): void {
    const octal = (mode & 0o777).toString(8).padStart(4, '0')
    this.#problems.add(
      where,
      `${this.#shown(path)} is open to every user (mode ${octal}); run \`chmod 600\` on it`,
    )
  }

  /** Somebody may have put the secret where its file's path belongs: then it has no slash. */
  #shown(path: string): string {
    if (!this.#isPath(path)) return 'the file'
    return isAbsolute(path) ? path : this.resolve(path)
  }

  #isPath(path: string): boolean {
    const looksSo = /[/\\.]|^credential:/.test(path) && !/^[A-Za-z0-9+/]{42,}=*$/.test(path)
    return looksSo && path.length <= 200
  }
}
