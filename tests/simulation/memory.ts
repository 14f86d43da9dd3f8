// What connections hold, by `inspect()`: never more than their limits allow (I6).
//   in  -> the servers and clients of a run, now and then
//   out -> violations

import type { ConnectionSnapshot, Limits } from '@callbox/core/internal'
import type { Stack } from './stack.ts'

const KiB = 1_024
const MiB = 1_024 * KiB
/** CANCEL, CREDIT and END may exceed the ring by this. */
const ringSpare = 64 * KiB
/** A window grows to this at most. */
const largestWindow = 8 * MiB

export function inspectMemory(limits: Limits, stack: Stack): void {
  const look = (who: string, snapshot: ConnectionSnapshot): void => {
    const { bytes, calls, windows } = snapshot
    const frame = limits.maxFrame + limits.frameCost
    const streams = calls.made + calls.served + 1
    const most = {
      ring: limits.replayRing + ringSpare + frame,
      unsent: limits.maxUnsent + frame,
      reserved: limits.receiveBudget,
      buffered: streams * (largestWindow + limits.maxMessage),
      held: limits.receiveBudget + limits.maxMessage + 4 * MiB + streams * limits.maxMessage,
      waiting: (streams + 1) * 2 * limits.maxUnsent,
    }
    for (const [name, limit] of Object.entries(most)) {
      const held = bytes[name as keyof typeof bytes]
      if (held > limit || held < 0) stack.fail('I6', `${who}: ${name} is ${held}, at most ${limit}`)
    }
    if (calls.served > limits.maxCalls)
      stack.fail('I6', `${who}: ${calls.served} calls are served, at most ${limits.maxCalls}`)
    if (windows.largest > largestWindow) stack.fail('I6', `${who}: a window of ${windows.largest}`)
  }
  for (const { who, client } of stack.clients) {
    const { connection } = client.inspect()
    if (connection !== undefined) look(who, connection)
  }
  for (const { who, server, dead } of stack.places)
    if (!dead) for (const snapshot of server.inspect().connections) look(who, snapshot)
}

/** With nothing open nothing may be charged: what was counted twice, or never given back, shows. */
export function inspectRest(stack: Stack, isSuspect: (client: number) => boolean): void {
  const look = (who: string, { calls, bytes, parked }: ConnectionSnapshot): void => {
    if (parked) return
    const { made, served, waitingForBudget } = calls
    if (made + served + waitingForBudget > 0)
      stack.fail('I8', `${who}: calls are open though all have settled: ${JSON.stringify(calls)}`)
    for (const [name, held] of Object.entries(bytes))
      if (held !== 0) stack.fail('I6', `${who}: ${name} is ${held} with nothing open`)
  }
  for (const [index, { who, client }] of stack.clients.entries()) {
    const { connection } = client.inspect()
    if (connection !== undefined && !isSuspect(index)) look(who, connection)
  }
  // Who breaks rules may leave a server anything.
  if (stack.clients.some((_, index) => isSuspect(index))) return
  for (const { who, server, dead } of stack.places)
    if (!dead) for (const snapshot of server.inspect().connections) look(who, snapshot)
}
