// `npm start`: builds the page, starts the lobby, checks it, and runs until Ctrl-C.
//   in  -> command line, see `usage`
//   out -> lines on the terminal; with --check an exit code

import { parseArgs } from 'node:util'
import { buildPage, dist } from './build-page.ts'
import { checkLobby, formatCheck } from './check.ts'
import { type RunningLobby, startLobby } from './server.ts'

const usage = `The lobby: a page to play in, and players who check it.

  --port <n>    first port to try (8080); the next free one is taken, 0 for any
  --host <h>    address to listen on (127.0.0.1); 0.0.0.0 lets others in
  --check       plays the self-check, then exits: 0 if all is well, 1 if not
  --no-check    starts without the self-check
  --help        this text`

const print = (line: string): void => console.log(line)

async function main(args: string[]): Promise<number> {
  const options = readOptions(args)
  if (typeof options === 'string') {
    console.error(options)
    return 2
  }
  if (options.help) {
    print(usage)
    return 0
  }
  const interrupted = new Promise<'interrupted'>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const)
      process.once(signal, () => resolve('interrupted'))
  })
  await buildPage(print)
  const running = await startLobby({ ...options, pages: dist }).catch((error: unknown) => {
    console.error(`cannot listen on ${options.host}: ${String(error)}`)
    return undefined
  })
  if (running === undefined) return 1
  if (options.port !== 0 && running.port !== options.port)
    print(`port ${options.port} is taken, using ${running.port}`)
  print(`\n  Paint Arena is open: ${running.url}`)
  print(`  two tabs are two players; bots use tcp://${running.botHost}:${running.botPort}\n`)

  const checked = options.check === 'none' ? 'well' : await check(running, interrupted)
  if (options.check !== 'only') {
    print('\nCtrl-C stops.')
    await interrupted
  }
  await running.close()
  print('closed')
  return options.check === 'only' ? exitCodes[checked] : 0
}

/** 130 is what shells give a program that Ctrl-C ended. */
const exitCodes = { well: 0, failed: 1, interrupted: 130 } as const

async function check(
  running: RunningLobby,
  interrupted: Promise<'interrupted'>,
): Promise<keyof typeof exitCodes> {
  print('self-check: two players over WebSocket and a bot over TCP play ten seconds')
  let shown = print
  const result = await Promise.race([
    checkLobby(running, (line) => shown(`  ${line}`)),
    interrupted,
  ])
  shown = () => undefined
  if (result === 'interrupted') return result
  print(`\n${formatCheck(result)}`)
  return result.problems.length === 0 ? 'well' : 'failed'
}

interface Options {
  readonly help: boolean
  readonly host: string
  readonly port: number
  /** Play the self-check and go on, play it and exit, or do without. */
  readonly check: 'first' | 'only' | 'none'
}

/** The options, or what is wrong with them. */
function readOptions(args: string[]): Options | string {
  try {
    const { values } = parseArgs({
      // pnpm hands a leading `--` on, npm does not.
      args: args[0] === '--' ? args.slice(1) : args,
      options: {
        'port': { type: 'string', default: '8080' },
        'host': { type: 'string', default: '127.0.0.1' },
        'check': { type: 'boolean', default: false },
        'no-check': { type: 'boolean', default: false },
        'help': { type: 'boolean', short: 'h', default: false },
      },
    })
    const port = Number(values.port)
    if (!Number.isInteger(port) || port < 0 || port > 65_535) return 'a port is 0 to 65535'
    if (values.check && values['no-check']) return 'choose --check or --no-check'
    const check = values.check ? 'only' : values['no-check'] ? 'none' : 'first'
    return { help: values.help, host: values.host, port, check }
  } catch (error) {
    return `${error instanceof Error ? error.message : String(error)}\n\n${usage}`
  }
}

process.exitCode = await main(process.argv.slice(2))
