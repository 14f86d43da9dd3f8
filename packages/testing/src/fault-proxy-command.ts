// The fault proxy from the command line.
//   in  -> arguments, where to print, when to stop
//   out -> a proxy that runs until then; lines of text; an exit code

import { parseArgs } from 'node:util'
import { createFaultProxy, type FaultProxyOptions } from './fault-proxy.ts'
import type { LineShape } from './shaper.ts'

export interface CommandParts {
  readonly out: (line: string) => void
  readonly err: (line: string) => void
  /** The program ends when this settles. */
  readonly until: Promise<unknown>
}

const usage = `callbox-fault-proxy --to <port | host:port | path> [options]

Stands between real sockets as a bad network: TCP, TLS and WebSocket go through it.

  --to <address>            where connections go: a port, host:port, or the path of a unix socket
  --listen <port>           port to listen on, at 127.0.0.1 (default 0: any; it is printed)
  --delay-ms <ms>           one way, both ways (default 0)
  --throttle-bytes <n>      bytes a second, each way (default: as fast as they come)
  --stall-at <n>            after n bytes nothing more goes through, and nobody is told
  --cut-at <n>              after exactly n bytes both sides see an orderly end
  --reset-at <n>            after exactly n bytes both sides see a reset
  --only <up | down>        the above for one direction: up is toward --to (default: both)
  --help

It ends by SIGINT or SIGTERM.`

const options = {
  'to': { type: 'string' },
  'listen': { type: 'string' },
  'delay-ms': { type: 'string' },
  'throttle-bytes': { type: 'string' },
  'stall-at': { type: 'string' },
  'cut-at': { type: 'string' },
  'reset-at': { type: 'string' },
  'only': { type: 'string' },
  'help': { type: 'boolean' },
} as const

/** Runs the program. Resolves with its exit code: 2 for arguments that cannot be. */
export async function faultProxyCommand(
  args: readonly string[],
  { out, err, until }: CommandParts,
): Promise<number> {
  let parsed: FaultProxyOptions | 'help'
  try {
    parsed = optionsOf(args)
  } catch (error) {
    err(error instanceof Error ? error.message : 'arguments that cannot be')
    err('callbox-fault-proxy --help tells more')
    return 2
  }
  if (parsed === 'help') {
    out(usage)
    return 0
  }
  try {
    const proxy = await createFaultProxy(parsed)
    out(`listening on 127.0.0.1:${proxy.port}`)
    await until
    await proxy.close()
    return 0
  } catch (error) {
    err(error instanceof Error ? error.message : 'it cannot listen')
    return 1
  }
}

function optionsOf(args: readonly string[]): FaultProxyOptions | 'help' {
  const { values } = parseArgs({ args: [...args], options })
  if (values.help === true) return 'help'
  const number = (
    name: Exclude<keyof typeof options, 'help' | 'to' | 'only'>,
  ): number | undefined => {
    const text = values[name]
    if (text === undefined) return undefined
    if (!/^\d{1,12}$/.test(text)) throw new Error(`--${name} wants a whole number, not '${text}'`)
    return Number(text)
  }
  const bytesPerSecond = number('throttle-bytes')
  if (bytesPerSecond === 0) throw new Error('--throttle-bytes wants at least 1')
  const shape: LineShape = {
    delayMs: number('delay-ms'),
    bitsPerSecond: bytesPerSecond === undefined ? undefined : bytesPerSecond * 8,
    stallAfterBytes: number('stall-at'),
    cutAfterBytes: number('cut-at'),
    resetAfterBytes: number('reset-at'),
  }
  const only = values.only
  if (only !== undefined && only !== 'up' && only !== 'down')
    throw new Error(`--only wants up or down, not '${only}'`)
  return {
    target: targetOf(values.to),
    port: portOf(number('listen') ?? 0, '--listen'),
    ...(only === 'down' ? {} : { up: shape }),
    ...(only === 'up' ? {} : { down: shape }),
  }
}

function targetOf(to: string | undefined): FaultProxyOptions['target'] {
  if (to === undefined || to === '') throw new Error('--to is missing')
  if (to.includes('/')) return { path: to }
  const [, host, port] = /^(?:(.*):)?(\d{1,5})$/.exec(to) ?? []
  if (port === undefined) throw new Error(`--to wants a port, host:port or a path, not '${to}'`)
  const target = { port: portOf(Number(port), '--to') }
  return host === undefined ? target : { ...target, host: host.replace(/^\[(.*)\]$/, '$1') }
}

function portOf(port: number, name: string): number {
  if (port > 65_535) throw new Error(`${name}: no port ${port}`)
  return port
}
