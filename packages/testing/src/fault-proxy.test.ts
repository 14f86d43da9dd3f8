import * as net from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { everyCut, shapesFor } from './fault-sweep.ts'
import { createFaultProxy, type FaultProxy, type FaultProxyOptions } from './fault-proxy.ts'

const closers: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

/** An echo server behind a proxy, and one connection through it. */
async function through(
  options: Omit<FaultProxyOptions, 'target'> = {},
): Promise<{ proxy: FaultProxy; peer: Peer }> {
  const sockets = new Set<net.Socket>()
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.pipe(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
  const { port } = server.address() as net.AddressInfo
  const proxy = await createFaultProxy({ target: { host: '127.0.0.1', port }, ...options })
  const peer = new Peer(proxy.port)
  closers.push(async () => {
    peer.socket.destroy()
    await proxy.close()
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  })
  return { proxy, peer }
}

class Peer {
  readonly socket: net.Socket
  bytes = 0
  end: 'open' | 'ended' | 'reset' = 'open'

  constructor(port: number) {
    this.socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    this.socket.on('data', (chunk: Buffer) => (this.bytes += chunk.length))
    this.socket.on('end', () => (this.end = 'ended'))
    this.socket.on('error', () => (this.end = 'reset'))
  }
}

test('bytes go through both ways, and the end after them', async () => {
  const { peer } = await through()
  peer.socket.end(Buffer.alloc(100_000))
  await expect.poll(() => [peer.bytes, peer.end]).toEqual([100_000, 'ended'])
})

test('cut at byte n: exactly so many arrive, then an orderly end', async () => {
  const { peer } = await through({ down: { cutAfterBytes: 12_345 } })
  peer.socket.write(Buffer.alloc(50_000))
  await expect.poll(() => [peer.bytes, peer.end]).toEqual([12_345, 'ended'])
})

test('reset at byte n: no end, a reset', async () => {
  const { peer } = await through({ up: { resetAfterBytes: 10 } })
  peer.socket.write(Buffer.alloc(50_000))
  await expect.poll(() => peer.end).toBe('reset')
})

test('a stalled line carries nothing, and everything when it goes on', async () => {
  const { proxy, peer } = await through()
  peer.socket.write('a')
  await expect.poll(() => peer.bytes).toBe(1)
  proxy.stall()
  peer.socket.write(Buffer.alloc(999))
  await expect.poll(() => peer.socket.bytesWritten).toBe(1_000)
  expect(peer.bytes).toBe(1)
  proxy.resume()
  await expect.poll(() => peer.bytes).toBe(1_000)
  expect(proxy.connections).toMatchObject([{ upBytes: 1_000, downBytes: 1_000 }])
})

test('after so many bytes nothing comes, and nobody is told', async () => {
  const { proxy, peer } = await through({ up: { stallAfterBytes: 10 } })
  peer.socket.write(Buffer.alloc(100))
  await expect.poll(() => peer.bytes).toBe(10)
  expect(proxy.connections).toHaveLength(1)
  expect(peer.end).toBe('open')
})

test('a target that refuses: whoever connects is reset', async () => {
  const closed = net.createServer()
  await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', () => resolve()))
  const { port } = closed.address() as net.AddressInfo
  await new Promise((resolve) => closed.close(resolve))
  const proxy = await createFaultProxy({ target: { host: '127.0.0.1', port } })
  closers.push(() => proxy.close())
  const peer = new Peer(proxy.port)
  await expect.poll(() => peer.end).toBe('reset')
  await expect.poll(() => proxy.connections).toEqual([])
})

test('a direction that loses everything: the other goes on, nobody is told', async () => {
  const { proxy, peer } = await through()
  peer.socket.write('a')
  await expect.poll(() => peer.bytes).toBe(1)
  proxy.blackhole('up')
  peer.socket.write(Buffer.alloc(1_000))
  await expect.poll(() => peer.socket.bytesWritten).toBe(1_001)
  expect(proxy.connections).toMatchObject([{ upBytes: 1 }])
  peer.socket.end()
  await expect.poll(() => peer.socket.writableFinished).toBe(true)
  expect([peer.bytes, peer.end]).toEqual([1, 'open'])
})

test('half open: one end is reset, the other is not told', async () => {
  for (const told of ['near', 'far'] as const) {
    const { proxy, peer } = await through()
    peer.socket.write('a')
    await expect.poll(() => peer.bytes).toBe(1)
    proxy.halfOpen(told)
    if (told === 'near') await expect.poll(() => peer.end).toBe('reset')
    else {
      peer.socket.write(Buffer.alloc(1_000))
      await expect.poll(() => peer.socket.bytesWritten).toBe(1_001)
      expect([peer.bytes, peer.end]).toEqual([1, 'open'])
      expect(proxy.connections).toHaveLength(1)
    }
  }
})

test('other chunks: one byte at a time, and joined again', async () => {
  const sizes: number[] = []
  const { peer } = await through({ up: { chunkBytes: 1 }, down: { delayMs: 30, chunkBytes: 500 } })
  peer.socket.on('data', (chunk: Buffer) => sizes.push(chunk.length))
  peer.socket.write(Buffer.alloc(1_000))
  await expect.poll(() => peer.bytes).toBe(1_000)
  expect(sizes.length).toBeLessThan(500)
  peer.socket.end()
  await expect.poll(() => peer.end).toBe('ended')
})

test('each connection may have shapes of its own', async () => {
  const { proxy, peer } = await through({
    shapesOf: (nth) => (nth === 0 ? { up: { resetAfterBytes: 3 } } : undefined),
  })
  peer.socket.write(Buffer.alloc(10))
  await expect.poll(() => peer.end).toBe('reset')
  const second = new Peer(proxy.port)
  closers.push(() => Promise.resolve(void second.socket.destroy()))
  second.socket.write(Buffer.alloc(10))
  await expect.poll(() => second.bytes).toBe(10)
  expect(proxy.accepted).toBe(2)
})

test('a sweep has every byte of both directions, both ways of cutting in turn', () => {
  const cuts = everyCut({ up: 3, down: 2 })
  expect(cuts).toHaveLength(5)
  expect(cuts.map(shapesFor)).toEqual([
    { up: { cutAfterBytes: 0 } },
    { up: { resetAfterBytes: 1 } },
    { up: { cutAfterBytes: 2 } },
    { down: { cutAfterBytes: 0 } },
    { down: { resetAfterBytes: 1 } },
  ])
  expect(everyCut({ up: 1, down: 0 }, 1)).toEqual([{ way: 'up', atByte: 0, by: 'reset' }])
})
