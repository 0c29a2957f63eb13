import type { Command } from 'commander'

/** By command, without `landbridge`. A test checks that every command has some and takes them. */
export const HELP_EXAMPLES: Readonly<Record<string, readonly string[]>> = {
  init: [
    'init --endpoint ec2=198.51.100.20:51820 --database ec2=198.51.100.10:3306',
    'init --sites tokyo,paris,oslo --endpoint tokyo=203.0.113.5 --endpoint oslo=vpn.example.net',
    'init --external-tunnel --database ec2=198.51.100.10:3306',
    'init --renew',
  ],
  check: [
    'check --config gateway/ec2.yaml',
    'check --config /etc/landbridge/gateway/azure.yaml --json',
  ],
  run: ['run --config gateway/ec2.yaml', 'run --config gateway/azure.yaml --log-level debug'],
  status: [
    'status',
    'status --config gateway/azure.yaml --watch',
    'status --socket /run/landbridge/azure.sock --json',
  ],
  lag: [
    'lag',
    'lag --config gateway/azure.yaml --since 24h',
    'lag --config gateway/ec2.yaml --peer azure --stream main --json',
  ],
  events: [
    'events --since 24h',
    'events --config gateway/azure.yaml --follow',
    'events --peer azure --lines 20 --json',
  ],
  'tunnel show': [
    'tunnel show --config gateway/ec2.yaml',
    'tunnel show --socket /run/landbridge/ec2.sock --peer azure',
    'tunnel show --json',
  ],
  'tunnel up': [
    'tunnel up --config gateway/ec2.yaml',
    'tunnel up --config gateway/ec2.yaml --json',
  ],
  'tunnel down': [
    'tunnel down --config gateway/ec2.yaml',
    'tunnel down --config gateway/ec2.yaml --json',
  ],
  'replica attach': [
    'replica attach --config gateway/azure.yaml --dry-run',
    'replica attach --config gateway/azure.yaml --relay-ca /etc/mysql/landbridge-ca.crt',
    'replica attach --config gateway/azure.yaml --relay-host 203.0.113.20 --replace',
    'replica attach --config gateway/ec2.yaml --peer azure',
  ],
  'replica detach': [
    'replica detach --config gateway/azure.yaml --dry-run',
    'replica detach --socket /run/landbridge/azure.sock --stream main',
  ],
  'replica status': [
    'replica status --config gateway/azure.yaml',
    'replica status --config gateway/ec2.yaml --peer azure --json',
  ],
  'operation list': ['operation list', 'operation list --json'],
  'operation call': [
    'operation call health --config gateway/azure.yaml',
    `operation call replica.release --input '{"stream":"main","replica":"id:9"}'`,
  ],
  'operation journal': ['operation journal --lines 20'],
  demo: ['demo --flavor mysql --seconds 60', 'demo --rtt 80 --loss 0.1 --keep'],
  chaos: ['chaos --flavor mysql --minutes 2 --seed 4', 'chaos --seed 4 --plan'],
  'lab up': [
    'lab up --flavor mysql --rtt 80 --loss 0.1',
    'lab up --sites 3 --streams 2 --name second',
  ],
  'lab status': ['lab status --json'],
  'lab list': ['lab list'],
  'lab exec': ['lab exec ec2-db -- bash', 'lab exec azure-gw -- ip address'],
  'lab wan': [
    ...['lab wan', 'lab wan --cut', 'lab wan --cut --between ec2,azure', 'lab wan --heal'],
    'lab wan --rtt 200 --loss 1',
  ],
  'lab kill': ['lab kill ec2-gateway', 'lab kill ec2-db --signal SIGSTOP'],
  'lab start': ['lab start ec2-gateway'],
  'lab load': ['lab load --seconds 10', 'lab load --stream back'],
  'lab compare': ['lab compare --wait-seconds 120'],
  'lab down': ['lab down', 'lab down --all --json'],
  version: ['version --json'],
}

/** Below the help of each command of `program`. */
export function addExamples(program: Command): void {
  for (const [path, examples] of Object.entries(HELP_EXAMPLES)) {
    const command = findCommand(program, path)
    const lines = examples.map((example) => `  landbridge ${example}`)
    command?.addHelpText('after', ['', 'Examples:', ...lines].join('\n'))
  }
}

/** The command itself; undefined where its parent is known by name only. */
export function findCommand(program: Command, path: string): Command | undefined {
  return path
    .split(' ')
    .reduce<Command | undefined>(
      (parent, name) => parent?.commands.find((command) => command.name() === name),
      program,
    )
}
