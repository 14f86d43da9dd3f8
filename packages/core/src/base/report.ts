// What happened that nobody awaits: one event, one line.
//   in  -> a level, a name, fields that are safe to log
//   out -> whatever the user logs with

export type ReportLevel = 'debug' | 'info' | 'warn' | 'error'

/**
 * Takes one event. `fields` never hold payload or credentials; `fields.err`, where present, is the
 * cause as it was thrown. Must not throw.
 */
export type Report = (
  level: ReportLevel,
  event: string,
  fields: Readonly<Record<string, unknown>>,
) => void
