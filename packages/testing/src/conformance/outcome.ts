// The outcome rule: what must hold after every case, whatever it was about.
//   in  -> `inspect()` of a client or a server
//   out -> sentences, one for each thing that is wrong
// Pure: snapshots may come from another process.

import type { ClientSnapshot, ConnectionSnapshot, ServerSnapshot } from '@callbox/core'

/** What both sides count beyond a cap: frames that were let through to be refused. */
const slack = 256 * 1024

/** Caps of a connection, in bytes. */
export interface Caps {
  readonly replayRing: number
  readonly maxUnsent: number
  readonly receiveBudget: number
  readonly maxMessage: number
}

export const defaultCaps: Caps = {
  replayRing: 4 * 1024 * 1024,
  maxUnsent: 4 * 1024 * 1024,
  receiveBudget: 8 * 1024 * 1024,
  maxMessage: 4 * 1024 * 1024,
}

/** What a connection holds beyond its caps. */
export function overCaps(connection: ConnectionSnapshot, caps: Caps = defaultCaps): string[] {
  const { bytes } = connection
  const wrong: string[] = []
  const compare = (name: keyof typeof bytes, cap: number): void => {
    if (bytes[name] > cap + slack) wrong.push(`${name}: ${bytes[name]} bytes, cap ${cap}`)
  }
  compare('ring', caps.replayRing)
  compare('unsent', caps.maxUnsent)
  // One message may be taken while another is held.
  compare('held', caps.receiveBudget + caps.maxMessage * 8)
  compare('reserved', caps.receiveBudget)
  return wrong
}

/** What a client has left after `close()`. */
export function leftOfClient(snapshot: ClientSnapshot): string[] {
  const { state, waiting, connection, leaving, timers } = snapshot
  return [
    ...(state === 'closed' ? [] : [`the client is ${state}`]),
    ...(connection === undefined ? [] : ['a connection']),
    ...count(waiting, 'waiting calls'),
    ...count(leaving, 'leaving sessions'),
    ...count(timers, 'timers'),
  ]
}

/** What a server has left of its connections once all are gone. */
export function leftOfServer(snapshot: ServerSnapshot): string[] {
  const { arriving, connections, timers } = snapshot
  return [
    ...count(arriving, 'arriving links'),
    ...count(connections.length, 'connections'),
    ...count(timers, 'timers'),
  ]
}

function count(number: number, what: string): string[] {
  return number === 0 ? [] : [`${number} ${what}`]
}
