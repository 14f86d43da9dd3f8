// How many connections the descriptors of this process allow: running out of them is silent, the
// system closes what it cannot accept without telling anybody.
//   in  -> /proc of Linux
//   out -> a ceiling; undefined where the system does not say

import { readdirSync, readFileSync } from 'node:fs'
import { processConnections } from '@callbox/core/internal'

/** What is left is for files, DNS, calls to other servers. */
const share = 0.8

export interface DescriptorCeiling {
  /** Connections that all listeners of this process may have at once. */
  readonly connections: number
  /** Descriptors that the process may have. */
  readonly descriptors: number
}

/** Connections and everything that is open now stay together below 0.8 of the limit. */
export function descriptorCeiling(
  read: (path: string) => string = (path) => readFileSync(path, 'utf8'),
  list: (path: string) => readonly string[] = readdirSync,
): DescriptorCeiling | undefined {
  try {
    const [, soft] = /^Max open files\s+(\d+)/m.exec(read('/proc/self/limits')) ?? []
    if (soft === undefined) return undefined
    const descriptors = Number(soft)
    const others = list('/proc/self/fd').length - processConnections()
    return { descriptors, connections: Math.max(1, Math.floor(share * descriptors) - others) }
  } catch {
    // Not Linux, or no /proc: the system's own limit holds.
    return undefined
  }
}
