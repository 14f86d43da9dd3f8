import { expect, test } from 'vitest'
import { RpcError, type Code, type Processed } from '../base/errors.ts'
import { resolveLimits } from '../base/limits.ts'
import { RetryPolicy, type FailedCall } from './retry.ts'

function failed(code: Code, processed: Processed, changes: Partial<FailedCall> = {}): FailedCall {
  return {
    error: new RpcError(code, '', { processed }),
    answered: true,
    final: false,
    idempotent: false,
    attempts: 1,
    msLeft: Infinity,
    ...changes,
  }
}

const policy = (random = 0.5): RetryPolicy => new RetryPolicy(resolveLimits(), () => random)

test('what did not run is free: unavailable, and the callee out of room', () => {
  expect(policy().delayMs(failed('unavailable', 'no'))).toBe(50)
  expect(policy().delayMs(failed('resource_exhausted', 'no'))).toBe(50)
  // A limit of this side would be hit again.
  expect(policy().delayMs(failed('resource_exhausted', 'no', { answered: false }))).toBeUndefined()
  for (const code of ['invalid_argument', 'unimplemented', 'internal', 'unauthenticated'] as const)
    expect(policy().delayMs(failed(code, 'no'))).toBeUndefined()
})

test('what may have run only where it does no harm', () => {
  for (const processed of ['yes', 'unknown'] as const) {
    expect(policy().delayMs(failed('unavailable', processed))).toBeUndefined()
    expect(policy().delayMs(failed('unavailable', processed, { idempotent: true }))).toBe(50)
  }
  expect(policy().delayMs(failed('session_lost', 'unknown'))).toBeUndefined()
  expect(policy().delayMs(failed('session_lost', 'unknown', { idempotent: true }))).toBe(50)
})

test('full jitter, doubled each time, up to maxRetryMs; maxAttempts in all', () => {
  const full = new RetryPolicy(resolveLimits({ maxAttempts: 9 }), () => 1)
  const delays = [1, 2, 3, 4, 5, 6].map((attempts) =>
    full.delayMs(failed('unavailable', 'no', { attempts })),
  )
  expect(delays).toEqual([100, 200, 400, 800, 1_600, 2_000])
  expect(policy().delayMs(failed('unavailable', 'no', { attempts: 3 }))).toBeUndefined()
})

test('the callee says when, or that it never should', () => {
  const error = new RpcError('unavailable', '', { processed: 'no', retryAfterMs: 700 })
  expect(policy().delayMs(failed('unavailable', 'no', { error }))).toBe(700)
  expect(policy().delayMs(failed('unavailable', 'no', { error, msLeft: 700 }))).toBeUndefined()
  expect(policy().delayMs(failed('unavailable', 'no', { final: true }))).toBeUndefined()
})

test('all calls fail: sends are at most 1.11 times the calls [threat X6]', () => {
  const retry = policy()
  let sends = 0
  for (let call = 0; call < 60_000; call += 1) {
    retry.onCall()
    sends += 1
    for (
      let attempts = 1;
      retry.delayMs(failed('unavailable', 'no', { attempts })) !== undefined;
    ) {
      attempts += 1
      sends += 1
    }
  }
  expect(sends / 60_000).toBeLessThanOrEqual(1.11)
  expect(sends / 60_000).toBeGreaterThan(1.05)
})

test('the budget comes back with calls that are made, up to retryBudget', () => {
  const retry = policy()
  for (let call = 0; call < 10; call += 1)
    expect(retry.delayMs(failed('unavailable', 'no'))).toBeDefined()
  expect(retry.budget).toBe(0)
  expect(retry.delayMs(failed('unavailable', 'no'))).toBeUndefined()
  for (let call = 0; call < 11; call += 1) retry.onCall()
  expect(retry.delayMs(failed('unavailable', 'no'))).toBeDefined()
  for (let call = 0; call < 10_000; call += 1) retry.onCall()
  expect(retry.budget).toBe(10)
})
