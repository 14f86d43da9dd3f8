// What both echo ends read from their command line.
//   in  -> process.argv; the options of one end
//   out -> values; --help and wrong options end the process

import { parseArgs, type ParseArgsConfig } from 'node:util'

type Options = NonNullable<ParseArgsConfig['options']>
type Values<T extends Options> = ReturnType<
  typeof parseArgs<{ options: T & { help: { type: 'boolean' } } }>
>['values']

/** Drops one leading `--`, which `pnpm run` hands on and npm does not. */
export function readArguments<T extends Options>(options: T, help: string): Values<T> {
  const given = process.argv.slice(2)
  const args = given[0] === '--' ? given.slice(1) : given
  try {
    const all = { ...options, help: { type: 'boolean' as const } }
    const { values } = parseArgs({ args, options: all })
    if ((values as { help?: boolean }).help !== true) return values
    process.stdout.write(help)
    process.exit(0)
  } catch (error) {
    return quit(`${error instanceof Error ? error.message : String(error)}\n\n${help}`)
  }
}

/** A whole number from `least` to `most`; undefined stays what it is. */
export function numberOf(
  name: string,
  text: string | undefined,
  least: number,
  most: number,
): number | undefined {
  if (text === undefined) return undefined
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN
  if (value >= least && value <= most) return value
  return quit(`--${name} must be a whole number from ${least} to ${most}\n`)
}

export function quit(text: string): never {
  process.stderr.write(text)
  process.exit(2)
}

export const defaultMaxMessage: number = 64 * 1024 * 1024
/** The longest string that every supported runtime can make. */
export const largestMessage: number = 512 * 1024 * 1024 - 24
