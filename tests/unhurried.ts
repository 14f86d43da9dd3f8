// Limits of servers under test that share a loaded machine, and often a process, with their clients.
//   in  -> (nothing)
//   out -> limits with which no call is shed because the machine is slow

/** Shedding has tests of its own (`base/lag.test.ts`): here it would only tell how busy the machine is. */
export const unhurried = { maxLagMs: 600_000 } as const
