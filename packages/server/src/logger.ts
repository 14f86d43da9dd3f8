// The default logger: pino, one line of JSON an event, on standard error.
//   in  -> events of the framework
//   out -> lines
// Replaceable: `logger` of `createServer` takes any function of this shape.

import type { Report } from '@callbox/core'
import { destination, pino, type Logger } from 'pino'

/** Makes a `Report` of a pino logger of your own. */
export function pinoReport(logger: Logger): Report {
  return (level, event, fields) => logger[level](fields, event)
}

/** Logs nothing. */
export const silent: Report = () => undefined

let shared: Report | undefined

/** Made when the first server needs it. Debug events are left out. */
export function defaultReport(): Report {
  return (shared ??= pinoReport(pino({ name: 'callbox', level: 'info' }, destination({ fd: 2, sync: true }))))
}
