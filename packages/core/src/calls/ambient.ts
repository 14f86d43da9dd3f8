// Which handler is running, for the calls that it makes: on clients of other packages too.
//   in  -> an `Ambient`, installed once by whoever serves on a platform that has one
//   out -> the same one, for every runtime of this process
// A module-wide value because a service calls through clients that know nothing of its server.

import type { Ambient } from './runtime.ts'

let installed: Ambient | undefined

/** The first one stays: it is the same AsyncLocalStorage for all servers of a process. */
export function installAmbient(make: () => Ambient): Ambient {
  return (installed ??= make())
}

export function installedAmbient(): Ambient | undefined {
  return installed
}
