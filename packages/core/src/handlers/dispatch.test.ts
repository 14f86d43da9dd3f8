import { createClient, safe } from '@callbox/client'
import { createServer, implement, type Interceptor } from '@callbox/server'
import { memory } from '@callbox/testing'
import * as T from 'typebox'
import { expect, test } from 'vitest'
import { contract } from '../contract/contract.ts'
import { serverStream, unary } from '../contract/kinds.ts'

const shop = contract('shop', {
  buy: unary({
    input: T.Object({ item: T.String() }),
    output: T.String(),
    errors: { SoldOut: T.Object({ left: T.Integer() }) },
  }),
  browse: serverStream({ output: T.String() }),
})

const service = implement(shop, {
  buy: ({ item }, call) => {
    if (item === 'gold') throw call.errors.SoldOut({ left: 0 })
    return `${item} for ${String(call.metadata['who'])}`
  },
  browse: async function* () {
    yield 'brush'
    yield 'anvil'
  },
})

async function withInterceptors<T>(
  interceptors: readonly Interceptor<unknown>[],
  work: (client: ReturnType<typeof clientOf>) => Promise<T>,
): Promise<T> {
  const transport = memory()
  const server = createServer({ services: [service], interceptors, logger: () => undefined })
  await server.listen(transport)
  const client = clientOf(transport)
  try {
    return await work(client)
  } finally {
    await client.close()
    await server.close()
  }
}

function clientOf(transport: ReturnType<typeof memory>) {
  return createClient({ shop }, transport)
}

test('interceptors run around the handler, the first outermost, and may add metadata', async () => {
  const seen: string[] = []
  const named =
    (name: string): Interceptor<unknown> =>
    async (call, next) => {
      seen.push(`${name} before ${call.method} ${call.kind}`)
      const result = await next({ metadata: { who: name } })
      seen.push(`${name} after`)
      return result
    }
  const answer = await withInterceptors([named('a'), named('b')], (client) =>
    client.shop.buy({ item: 'brush' }),
  )
  expect(answer).toBe('brush for b')
  expect(seen).toEqual(['a before shop.buy unary', 'b before shop.buy unary', 'b after', 'a after'])
})

test('inside interceptors a handler still has its declared errors', async () => {
  const [error] = await withInterceptors([(_, next) => next()], (client) =>
    safe(client.shop.buy({ item: 'gold' })),
  )
  expect(error?.tag).toBe('SoldOut')
  expect(error?.data).toEqual({ left: 0 })
})

test('next() of a stream settles when the stream is over', async () => {
  let over = false
  const items: string[] = []
  await withInterceptors(
    [
      async (_, next) => {
        await next()
        over = true
      },
    ],
    async (client) => {
      for await (const item of client.shop.browse()) items.push(item)
    },
  )
  expect(items).toEqual(['brush', 'anvil'])
  expect(over).toBe(true)
})

test('an interceptor that throws fails the call, one that calls next() twice too', async () => {
  const [thrown] = await withInterceptors([() => Promise.reject(new Error('secret'))], (client) =>
    safe(client.shop.buy({ item: 'brush' })),
  )
  expect(thrown).toMatchObject({ code: 'internal', message: 'internal error', processed: 'yes' })
  const [twice] = await withInterceptors(
    [
      async (_, next) => {
        await next()
        return next()
      },
    ],
    (client) => safe(client.shop.buy({ item: 'brush' })),
  )
  expect(twice?.code).toBe('internal')
})
