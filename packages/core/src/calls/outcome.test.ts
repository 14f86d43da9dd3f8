import * as T from 'typebox'
import { describe, expect, test } from 'vitest'
import { RpcError } from '../base/errors.ts'
import { contract } from '../contract/contract.ts'
import { unary } from '../contract/kinds.ts'
import { isError, safe } from './outcome.ts'

const lobby = contract('lobby', {
  create: unary({ errors: { NameTaken: T.Object({ suggestion: T.String() }) } }),
  list: unary({}),
})
const taken = new RpcError('already_exists', '', { tag: 'NameTaken', data: { suggestion: 'b' } })

describe('safe', () => {
  test('a value', async () => {
    expect(await safe(Promise.resolve(5))).toEqual([undefined, 5])
  })

  test('an RpcError, the same one', async () => {
    const [error, value] = await safe(Promise.reject<number>(taken))
    expect(error).toBe(taken)
    expect(value).toBeUndefined()
  })

  test('an RpcError of another installed copy', async () => {
    const foreign = Object.assign(new Error('x'), { [Symbol.for('callbox.RpcError')]: true })
    expect((await safe(Promise.reject(foreign)))[0]).toBe(foreign)
  })

  test.each([new TypeError('a bug'), 'text', undefined])('%s is thrown again', async (thrown) => {
    const reject = async (): Promise<number> => {
      // oxlint-disable-next-line typescript/only-throw-error -- whatever a user throws
      throw thrown
    }
    const caught = await safe(reject()).then(
      () => 'settled',
      (error: unknown) => ({ error }),
    )
    expect(caught).toEqual({ error: thrown })
  })
})

describe('isError', () => {
  test('narrows by the declared tag', () => {
    const error: unknown = taken
    expect(isError(error, lobby.create, 'NameTaken') && error.data.suggestion).toBe('b')
  })

  test.each([
    ['another tag', new RpcError('aborted', '', { tag: 'Full' })],
    ['no tag', new RpcError('aborted')],
    ['no RpcError', { tag: 'NameTaken', data: {} }],
    ['nothing', undefined],
  ])('%s', (_, error) => {
    expect(isError(error, lobby.create, 'NameTaken')).toBe(false)
  })

  test('a tag that this method does not declare', () => {
    const loose = isError as (error: unknown, method: object, tag: string) => boolean
    expect(loose(taken, lobby.list, 'NameTaken')).toBe(false)
    const odd = new RpcError('aborted', '', { tag: 'toString' })
    expect(loose(odd, lobby.create, 'toString')).toBe(false)
  })
})
