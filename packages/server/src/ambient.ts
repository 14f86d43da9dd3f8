// Which handler is running, by AsyncLocalStorage.
//   in  -> a handler that begins
//   out -> the same one, wherever its code makes a call

import type { Ambient, CallScope } from '@callbox/core/internal'
import { AsyncLocalStorage } from 'node:async_hooks'

export function asyncLocalAmbient(): Ambient {
  const storage = new AsyncLocalStorage<CallScope>()
  return {
    run: (scope, work) => storage.run(scope, work),
    current: () => storage.getStore(),
  }
}
