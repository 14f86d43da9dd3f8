// What the cases say about values, without a test runner: they also run in programs and in pages.
//   in  -> a value, what it should be
//   out -> nothing, or an Error that shows both

import { isRpcError, type RpcError } from '@callbox/core/internal'

/** Throws with `text` unless the condition holds. */
export function holds(condition: boolean, text: string): asserts condition {
  if (!condition) throw new Error(text)
}

/** Throws unless both are the same value, all the way down. */
export function equal(actual: unknown, expected: unknown, what = 'value'): void {
  holds(alike(actual, expected, false), `${what}: ${shown(actual)}, not ${shown(expected)}`)
}

/** Throws unless `actual` has every property of `expected`; it may have others. */
export function matches(actual: unknown, expected: unknown, what = 'value'): void {
  holds(
    alike(actual, expected, true),
    `${what}: ${shown(actual)} does not match ${shown(expected)}`,
  )
}

/** Asks again until it does not throw; after `timeoutMs` throws what it threw last. */
export async function eventually(
  ask: () => void | Promise<void>,
  timeoutMs = 10_000,
): Promise<void> {
  const until = Date.now() + timeoutMs
  for (;;) {
    try {
      return await ask()
    } catch (error) {
      if (Date.now() >= until) throw error
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
}

/** The RpcError that a call fails with. Throws if it does not fail, or with anything else. */
export async function failureOf(call: PromiseLike<unknown>): Promise<RpcError> {
  let value: unknown
  try {
    value = await call
  } catch (error) {
    holds(isRpcError(error), `not an RpcError: ${shown(error)}`)
    return error
  }
  throw new Error(`did not fail, but gave ${shown(value)}`)
}

function alike(actual: unknown, expected: unknown, partly: boolean): boolean {
  if (Object.is(actual, expected)) return true
  if (typeof actual !== 'object' || typeof expected !== 'object') return false
  if (actual === null || expected === null) return false
  if (expected instanceof Uint8Array)
    return (
      actual instanceof Uint8Array &&
      actual.length === expected.length &&
      actual.every((byte, at) => byte === expected[at])
    )
  if (expected instanceof Date)
    return actual instanceof Date && Object.is(actual.getTime(), expected.getTime())
  if (Array.isArray(expected))
    return (
      Array.isArray(actual) &&
      actual.length === expected.length &&
      expected.every((item, at) => alike(actual[at], item, partly))
    )
  const keys = Object.keys(expected)
  if (!partly && Object.keys(actual).length !== keys.length) return false
  return keys.every(
    (key) =>
      (partly || Object.hasOwn(actual, key)) &&
      alike((actual as Keyed)[key], (expected as Keyed)[key], partly),
  )
}

type Keyed = Readonly<Record<string, unknown>>

/** Short: for messages of tests. */
export function shown(value: unknown): string {
  if (value instanceof Uint8Array) return `${value.length} bytes`
  if (value instanceof Error) {
    const { code, processed } = value as Partial<RpcError>
    return code === undefined ? String(value) : `${String(value)} (processed ${processed})`
  }
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value !== 'object' || value === null)
    return typeof value === 'string' ? JSON.stringify(value.slice(0, 200)) : String(value)
  const parts = Array.isArray(value)
    ? value.slice(0, 20).map(shown)
    : Object.entries(value).map(([key, part]) => `${key}: ${shown(part)}`)
  return Array.isArray(value) ? `[${parts.join(', ')}]` : `{ ${parts.join(', ')} }`
}
