import { readFile } from 'node:fs/promises'
import { parse } from 'yaml'
import { z } from 'zod'

/** Strict: a new key of docker-compose.yml must be carried out here too, or be refused. */
const serviceSchema = z.strictObject({
  image: z.string(),
  build: z.strictObject({
    context: z.literal('.'),
    dockerfile: z.string(),
    args: z.record(z.string(), z.string()),
  }),
  command: z.array(z.string()),
  restart: z.string(),
  init: z.literal(true),
  read_only: z.literal(true),
  cap_drop: z.array(z.string()),
  cap_add: z.array(z.string()),
  devices: z.array(z.string()),
  ports: z.array(z.string()),
  volumes: z.array(z.string()),
  tmpfs: z.array(z.string()),
  stop_grace_period: z.string().regex(/^\d+s$/),
  healthcheck: z.strictObject({
    test: z.tuple([z.literal('CMD')], z.string()),
    interval: z.string(),
    timeout: z.string(),
    start_period: z.string(),
  }),
})
const fileSchema = z.strictObject({
  services: z.strictObject({ gateway: serviceSchema }),
  volumes: z.strictObject({ data: z.strictObject({}) }),
})

export interface ComposeRun {
  /** Arguments of `docker build` and of `docker run`, as compose would give them. */
  readonly build: readonly string[]
  readonly run: readonly string[]
}

/**
 * docker-compose.yml carried out with the engine's own commands, because few machines have compose.
 * Only the pause between health checks is another, so that a test need not wait for it.
 */
export async function composeRun(
  path: string,
  project: string,
  env: Readonly<Record<string, string>>,
): Promise<ComposeRun> {
  const text = await readFile(path, 'utf8')
  const set = text.replaceAll(/\$\{(\w+):-([^}]*)\}/g, (_all, name, value) => env[name] ?? value)
  const { gateway } = fileSchema.parse(parse(set)).services
  const each = (flag: string, values: readonly string[]) => values.flatMap((one) => [flag, one])
  const args = Object.entries(gateway.build.args).map(([name, value]) => `${name}=${value}`)
  const { healthcheck } = gateway
  return {
    build: [
      '--tag',
      gateway.image,
      '--file',
      gateway.build.dockerfile,
      ...each('--build-arg', args),
    ],
    run: [
      ...['--init', '--read-only', '--restart', gateway.restart],
      ...each('--cap-drop', gateway.cap_drop),
      ...each('--cap-add', gateway.cap_add),
      ...each('--device', gateway.devices),
      ...each('--publish', gateway.ports),
      ...each(
        '--volume',
        gateway.volumes.map((volume) => volume.replace(/^data:/, `${project}-data:`)),
      ),
      ...each('--tmpfs', gateway.tmpfs),
      ...['--stop-timeout', gateway.stop_grace_period.replace('s', '')],
      ...['--health-cmd', healthcheck.test.slice(1).join(' '), '--health-interval', '5s'],
      ...['--health-timeout', healthcheck.timeout],
      ...['--health-start-period', healthcheck.start_period],
      gateway.image,
      ...gateway.command,
    ],
  }
}
