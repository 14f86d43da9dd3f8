// A call that a case asks a client for, started, and what it comes to: JSON in, JSON out.
//   in  -> the calls of `conf`, a method and its input
//   out -> a settlement that never rejects

import { RpcError } from '@callbox/client'
import type { Caller, StartedCall } from '@callbox/testing/conformance'
import type { Settlement } from '@callbox/testing/node'

export async function startCall(caller: Caller, call: StartedCall): Promise<Settlement> {
  const options = { timeoutMs: call.timeoutMs ?? 20_000 }
  // The cases name methods of `conf` that take one input and give one answer.
  const method = caller[call.method] as (input: unknown, options: object) => Promise<unknown>
  try {
    return { value: await method(inputOf(call.input), options) }
  } catch (error) {
    if (!(error instanceof RpcError)) throw error
    const { code, processed, message, tag } = error as RpcError
    return { error: { code, processed, message, tag } }
  }
}

/** `{ "bytes": n }` stands for so many bytes. */
function inputOf(input: unknown): unknown {
  if (typeof input !== 'object' || input === null || !('bytes' in input)) return input
  return new Uint8Array(Number(input.bytes))
}
