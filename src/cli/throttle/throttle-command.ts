import { Argument, type Command } from 'commander'
import { checkedInput } from '../../api/operation-table.ts'
import { systemClock } from '../../base/clock.ts'
import { LandbridgeError } from '../../base/errors.ts'
import {
  pauseInput,
  setInput,
  streamOnlyInput,
  throttleOutput,
} from '../../gateway/throttle/throttle-schemas.ts'
import { type AskFlags, addAsking, askGateway } from '../operation/gateway-call.ts'
import { withStopSignal } from '../terminal/stop-signal.ts'
import { output } from '../terminal/terminal.ts'
import { formatThrottle } from './throttle-view.ts'
import { secondsOf, type ThrottleWish, WORDS, wishOf } from './throttle-wish.ts'

interface ThrottleFlags extends AskFlags {
  readonly stream?: string
  readonly for?: number
}

const WISH_HELP = 'a rate such as 20MB/s, or one of these words'
const FOR_HELP = 'how long a rate or a pause holds, also over a restart of the gateway'

/** `landbridge throttle`: slows a stream down, live, and says what holds it back. */
export function addThrottleCommand(program: Command): void {
  // Choices are for help and completion: a rate is none of them.
  const wish = new Argument('[rate]', WISH_HELP).choices(WORDS).argParser(wishOf).default('show')
  addAsking(program.command('throttle'))
    .summary('slow a stream down, pause it, and say what holds it back')
    .description(
      'Limits what a stream sends into the tunnel, at once; all its copies share the limit. Ask' +
        " the gateway of the stream's origin, or it through a peer. The lowest of all limits" +
        ' holds: what is set here does not lift what the configuration says. `resume` ends a' +
        ' pause, and a rate that was set holds again; `off` takes both back. To change it is for' +
        ' root and the user of the gateway, and for peers whose file says `permission: operate`.',
    )
    .addArgument(wish)
    .option('--for <duration>', FOR_HELP, secondsOf)
    .option('--stream <name>', 'which stream; needed when there are several')
    .action((what: ThrottleWish, flags: ThrottleFlags) => {
      return withStopSignal((signal) => throttle(what, flags, signal))
    })
}

async function throttle(
  wish: ThrottleWish,
  flags: ThrottleFlags,
  signal: AbortSignal,
): Promise<void> {
  const question = { ...questionOf(wish, flags), output: throttleOutput, here: null }
  const { output: answer } = await askGateway(flags, question, signal)
  output.show(flags, { schema: 1, ...answer }, (plain) => {
    return formatThrottle(plain, systemClock.wallMs())
  })
}

function questionOf(wish: ThrottleWish, { stream, for: forSeconds }: ThrottleFlags) {
  const permission = wish === 'show' ? 'read' : 'operate'
  if (typeof wish === 'object') {
    const asked = { name: 'throttle.set', permission, input: setInput } as const
    return { ...asked, input: checkedInput(asked, { stream, ...wish, forSeconds }) }
  }
  if (wish === 'pause') {
    const asked = { name: 'throttle.pause', permission, input: pauseInput } as const
    return { ...asked, input: checkedInput(asked, { stream, forSeconds }) }
  }
  if (forSeconds !== undefined) {
    throw new LandbridgeError('ERR_USAGE', `--for does not go with ${wish}`, {
      remedy: 'Say it with a rate or with pause: landbridge throttle 20MB/s --for 2h',
    })
  }
  const asked = { name: `throttle.${wish}`, permission, input: streamOnlyInput } as const
  return { ...asked, input: checkedInput(asked, { stream }) }
}
