import type { Command } from 'commander'
import { packageVersion } from '../base/version.ts'
import { output } from './terminal/terminal.ts'

export function addVersionCommand(program: Command): void {
  program
    .command('version')
    .summary('say which landbridge, Node and platform this is')
    .description('Says which landbridge, Node and platform this is.')
    .option('--json', 'print one JSON object')
    .action((options: { readonly json?: boolean }) => {
      const info = {
        landbridge: packageVersion(),
        node: process.versions.node,
        platform: `${process.platform}-${process.arch}`,
      }
      output.show(
        options,
        info,
        ({ landbridge, node, platform }) =>
          `landbridge ${landbridge} (Node ${node}, ${platform})\n`,
      )
    })
}
