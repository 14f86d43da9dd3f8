import { expect, test } from 'vitest'
import { TokenBucket } from './token-bucket.ts'

function spendAll(bucket: TokenBucket, now: number): number {
  let spent = 0
  while (spent < 10_000 && bucket.spend(now)) spent += 1
  return spent
}

test('a burst, then the rate', () => {
  const bucket = new TokenBucket(10, 1, 0)
  expect(spendAll(bucket, 0)).toBe(10)
  expect(bucket.spend(999)).toBe(false)
  expect(bucket.spend(1_000)).toBe(true)
  expect(spendAll(bucket, 4_000)).toBe(3)
})

test('time never gives more than the burst', () => {
  const bucket = new TokenBucket(200, 100, 0)
  expect(spendAll(bucket, 0)).toBe(200)
  expect(spendAll(bucket, 1_000_000)).toBe(200)
})

test('what is refunded can be spent, up to the burst', () => {
  const bucket = new TokenBucket(2, 1, 0)
  bucket.refund(5)
  expect(spendAll(bucket, 0)).toBe(2)
  bucket.refund(1)
  expect(spendAll(bucket, 0)).toBe(1)
})
