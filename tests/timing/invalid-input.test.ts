// What a server answers to input that its schema refuses, however much of it there is.

import { createClient, safe } from '@callbox/client'
import { contract, unary, type Transport } from '@callbox/core'
import { createServer, implement, silent } from '@callbox/server'
import { memory } from '@callbox/testing'
import * as T from 'typebox'
import { expect, test } from 'vitest'
import { unhurried } from '../unhurried.ts'

const shape = T.Cyclic(
  {
    Shape: T.Union([
      T.Object({ kind: T.Literal('group'), first: T.Ref('Shape') }),
      T.Object({ kind: T.Literal('frame'), first: T.Ref('Shape') }),
      T.Object({ kind: T.Literal('dot') }),
    ]),
  },
  'Shape',
)
const drawing = contract('drawing', {
  rows: unary({ input: T.Array(T.Tuple([T.Number()])) }),
  shape: unary({ input: shape }),
  name: unary({ input: T.String({ pattern: '^.*,.*;$', maxLength: 256 }) }),
})

/** Counts the bytes of the frames that the dialing side is sent. */
function counted(transport: Required<Transport>, count: (bytes: number) => void): Transport {
  return {
    ...transport,
    async dial(options) {
      const link = await transport.dial(options)
      const open = link.open.bind(link)
      link.open = (handler) => {
        const onFrame = handler.onFrame.bind(handler)
        handler.onFrame = (buffer, start, end) => {
          count(end - start)
          onFrame(buffer, start, end)
        }
        open(handler)
      }
      return link
    },
  }
}

async function serving(
  run: (client: ReturnType<typeof clientOf>, received: () => number) => Promise<void>,
): Promise<void> {
  const transport = memory()
  let bytes = 0
  const handlers = { rows: () => undefined, shape: () => undefined, name: () => undefined }
  const server = createServer({
    services: [implement(drawing, handlers)],
    logger: silent,
    limits: unhurried,
  })
  await server.listen(transport)
  const client = clientOf(
    counted(transport, (more) => {
      bytes += more
    }),
  )
  const received = (): number => {
    const before = bytes
    bytes = 0
    return before
  }
  try {
    await run(client, received)
  } finally {
    await client.close()
    await server.close()
  }
}

function clientOf(transport: Transport) {
  return createClient({ drawing }, transport)
}

/** Types are for those who keep to them. */
const unchecked = <T>(value: unknown): T => value as T

test('100,000 bad rows: the answer has at most 4 KiB and comes within 50 ms [threat C14]', () =>
  serving(async ({ drawing: { rows } }, received) => {
    const good = Array.from({ length: 99_999 }, () => [1])
    for (const bad of [Array.from({ length: 100_000 }, () => ['SECRET']), [...good, ['SECRET']]]) {
      const times: number[] = []
      for (let attempt = 0; attempt < 7; attempt += 1) {
        received()
        const start = performance.now()
        const [error] = await safe(rows(unchecked(bad)))
        times.push(performance.now() - start)
        const at = bad.length - (bad[0]![0] === 1 ? 1 : bad.length)
        expect(error).toMatchObject({ code: 'invalid_argument', processed: 'no' })
        expect(error!.message).toContain(`/${at}/0: must be number`)
        expect(error!.message).not.toContain('SECRET')
        // With CREDIT and acknowledgments of the upload.
        expect(received()).toBeLessThan(4_096)
      }
      // Of the whole call, on a machine that does something else as well.
      expect(Math.min(...times)).toBeLessThan(50)
    }
  }))

test('a recursive union, wrong in its innermost part [threat C13]', () =>
  serving(async ({ drawing: { shape: draw } }) => {
    let value: object = { kind: 'SECRET' }
    for (let depth = 0; depth < 60; depth += 1) value = { kind: 'frame', first: value }
    const start = performance.now()
    const [error] = await safe(draw(unchecked(value)))
    expect(performance.now() - start).toBeLessThan(1_000)
    expect(error).toMatchObject({ code: 'invalid_argument' })
    expect(error!.message).toContain('must be one of "group", "frame", "dot"')
  }))

test('a text that is too long for its pattern [threat C12]', () =>
  serving(async ({ drawing: { name } }) => {
    const start = performance.now()
    const [error] = await safe(name(','.repeat(200_000)))
    expect(performance.now() - start).toBeLessThan(1_000)
    expect(error).toMatchObject({ code: 'invalid_argument' })
    expect(error!.message).toContain('must not have more than 256 characters')
  }))
