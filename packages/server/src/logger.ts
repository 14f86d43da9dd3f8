// The default logger: one line an event, on standard error.
//   in  -> events of the framework
//   out -> `2026-01-31T12:00:00.000Z warn callbox: connection refused reason="not authenticated"`
// Replaceable: `logger` of `createServer` takes any function of this shape, pino's included.

import type { Report } from '@callbox/core'
import { inspect } from 'node:util'

/** Logs nothing. */
export const silent: Report = () => undefined

/** Debug events are left out: they follow every hostile frame. */
export function lineLogger(write: (line: string) => void): Report {
  return (level, event, fields) => {
    if (level === 'debug') return
    write(`${new Date().toISOString()} ${level} callbox: ${event}${fieldsOf(fields)}\n`)
  }
}

export const stderrLogger: Report = lineLogger((line) => void process.stderr.write(line))

/** Values as JSON: a line stays one line, whatever a peer has sent. */
function fieldsOf(fields: Readonly<Record<string, unknown>>): string {
  let text = ''
  for (const [name, value] of Object.entries(fields))
    if (value !== undefined) text += ` ${name}=${JSON.stringify(textOf(value))}`
  return text
}

/** Errors with their stacks and causes. What cannot be shown is no reason to throw. */
function textOf(value: unknown): unknown {
  if (typeof value !== 'object' || value === null)
    return typeof value === 'bigint' ? String(value) : value
  try {
    return inspect(value, { depth: 4, breakLength: Infinity })
  } catch {
    return 'not printable'
  }
}
