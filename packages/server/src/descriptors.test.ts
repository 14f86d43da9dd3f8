import { expect, test } from 'vitest'
import { descriptorCeiling } from './descriptors.ts'

const limitsOf = (soft: string): string =>
  `Limit                     Soft Limit           Hard Limit           Units     \n` +
  `Max processes             127000               127000               processes \n` +
  `Max open files            ${soft}                 4096                 files     \n`
const opened = (count: number) => (): string[] => new Array<string>(count).fill('0')

test('0.8 of the limit, less what is open for other reasons [threat X2]', () => {
  expect(descriptorCeiling(() => limitsOf('64'), opened(21))).toEqual({
    descriptors: 64,
    connections: 30,
  })
  expect(descriptorCeiling(() => limitsOf('1024'), opened(19))?.connections).toBe(800)
})

test('never none at all, and no ceiling where the system does not say', () => {
  expect(descriptorCeiling(() => limitsOf('16'), opened(20))?.connections).toBe(1)
  expect(descriptorCeiling(() => limitsOf('unlimited'), opened(20))).toBeUndefined()
  const absent = (): never => {
    throw new Error('ENOENT')
  }
  expect(descriptorCeiling(absent)).toBeUndefined()
})

test.runIf(process.platform === 'linux')('Linux says', () => {
  expect(descriptorCeiling()?.connections).toBeGreaterThan(0)
})
