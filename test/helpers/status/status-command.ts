import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const MAIN = fileURLToPath(new URL('../../../src/cli/main.ts', import.meta.url))

export interface StatusAnswer {
  readonly exitCode: unknown
  readonly text: string
}

/** `landbridge status --config`, as a person or a script runs it. */
export async function runStatusCommand(configPath: string): Promise<StatusAnswer> {
  const main = `import(${JSON.stringify(MAIN)}).then(({ main }) => main(process.argv.slice(1)))`
  const args = ['-e', main, 'status', '--config', configPath]
  return await new Promise((resolve) => {
    execFile(process.execPath, args, (error, text) => {
      resolve({ exitCode: error?.code ?? 0, text })
    })
  })
}
