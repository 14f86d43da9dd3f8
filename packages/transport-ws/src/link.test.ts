// A WebSocket of our own at the limits of what its peer may do, by raw bytes on real sockets.

import { once } from 'node:events'
import * as net from 'node:net'
import type { LinkClose, Listener, ListenOptions } from '@callbox/core/internal'
import { hex, RawPeer, webSocketFrame, type RawWebSocketFrame } from '@callbox/testing/node'
import { afterEach, describe, expect, test } from 'vitest'
import { ws } from './index.ts'

const host = '127.0.0.1'
const releases: (() => unknown)[] = []
afterEach(async () => {
  for (const release of releases.splice(0).toReversed()) await release()
})

interface World {
  readonly listener: Listener
  readonly peer: RawPeer
  readonly frames: Uint8Array[]
  readonly close: Promise<LinkClose>
}

/** A link of our listener with a raw peer at its other end. */
async function accepted(options: Partial<ListenOptions> = {}): Promise<World> {
  const frames: Uint8Array[] = []
  let onClose: (close: LinkClose) => void = () => undefined
  const close = new Promise<LinkClose>((resolve) => (onClose = resolve))
  const listener = await ws({ host, port: 0 }).listen!({
    onLink: (link) => {
      releases.push(() => link.abort())
      link.open({
        onFrame: (buffer, start, end) => frames.push(new Uint8Array(buffer.subarray(start, end))),
        onDrain: () => undefined,
        onClose,
      })
    },
    onError: () => undefined,
    maxFrame: 66_560,
    maxFirstFrame: 16_384,
    maxFragments: 128,
    pingBurst: 10,
    handshakeMs: 5_000,
    maxConnections: 10,
    ...options,
  })
  releases.push(() => listener.close())
  const peer = await RawPeer.connect({ host, port: listener.port, ws: true })
  releases.push(() => peer.destroy())
  return { listener, peer, frames, close }
}

/** The next close frame, behind pongs. */
async function closeCodeOf(peer: RawPeer): Promise<number> {
  for (;;) {
    const frame: RawWebSocketFrame = await peer.nextControl()
    if (frame.opcode === 8) return (frame.payload[0]! << 8) | frame.payload[1]!
  }
}

const piece = (text: string, options: { opcode?: number; fin?: boolean }): Uint8Array =>
  webSocketFrame(Buffer.from(text), { masked: true, ...options })

describe('messages in pieces', () => {
  test.each([
    ['of one byte [threat F5]', 'x'],
    ['of nothing [threat F6]', ''],
  ])('more than maxFragments of them, %s', async (_, text) => {
    const { peer, close, frames } = await accepted()
    peer.send(piece(text, { fin: false }))
    for (let at = 0; at < 127; at += 1) peer.send(piece(text, { opcode: 0, fin: false }))
    peer.send(piece(text, { opcode: 0, fin: false }))
    expect(await closeCodeOf(peer)).toBe(1008)
    await peer.destroy()
    expect(await close).toMatchObject({ clean: false, limit: 'maxFragments' })
    expect(frames).toEqual([])
  })

  test('128 of them are a message', async () => {
    const { peer, frames } = await accepted()
    peer.send(piece('ab', { fin: false }))
    for (let at = 0; at < 126; at += 1) peer.send(piece('ab', { opcode: 0, fin: false }))
    peer.send(piece('ab', { opcode: 0 }))
    await expect.poll(() => frames.length).toBe(1)
    expect(Buffer.from(frames[0]!).toString()).toBe('ab'.repeat(128))
  })

  test('one that is held back costs the link [threat F5]', async () => {
    const { peer, close } = await accepted({ frameMs: 50 })
    peer.send(piece('x', { fin: false }))
    expect(await closeCodeOf(peer)).toBe(1008)
    await peer.destroy()
    expect(await close).toMatchObject({ clean: false, limit: 'frameMs' })
  })

  test('a header that is held back costs the link, too', async () => {
    const { peer } = await accepted({ frameMs: 50 })
    peer.send(piece('whole', {}))
    peer.send(hex('82'))
    expect(await closeCodeOf(peer)).toBe(1008)
  })
})

test('the first message of a stranger has a limit of its own, read off its header [threat H9]', async () => {
  const { peer, close } = await accepted()
  peer.send(hex('82 fe 40 01'))
  // The mask is part of the header.
  peer.send(hex('00 00 00 00'))
  expect(await closeCodeOf(peer)).toBe(1009)
  await peer.destroy()
  expect(await close).toMatchObject({ clean: false, limit: 'maxHello' })
})

test('later messages have that of the link [threat F1] [threat F2]', async () => {
  const { peer, close, frames } = await accepted()
  peer.send(webSocketFrame(new Uint8Array(16_384), { masked: true }))
  peer.send(webSocketFrame(new Uint8Array(66_560), { masked: true }))
  await expect.poll(() => frames.length).toBe(2)
  peer.send(hex('82 ff 00000001 00000000 00000000'))
  expect(await closeCodeOf(peer)).toBe(1009)
  await peer.destroy()
  expect(await close).toMatchObject({ limit: 'maxFrame' })
})

test('10,000 pings: 10 pongs, one more each second at most, then the end [threat F10]', async () => {
  const { peer, close } = await accepted()
  const ping = webSocketFrame(Buffer.from('are you there?'), { masked: true, opcode: 9 })
  peer.send(Buffer.concat(new Array<Uint8Array>(10_000).fill(ping)))
  let pongs = 0
  for (;;) {
    const frame = await peer.nextControl()
    if (frame.opcode === 8) {
      expect((frame.payload[0]! << 8) | frame.payload[1]!).toBe(1008)
      break
    }
    pongs += 1
  }
  expect(pongs).toBeGreaterThanOrEqual(10)
  expect(pongs).toBeLessThanOrEqual(12)
  await peer.destroy()
  expect(await close).toMatchObject({ limit: 'pingBurst' })
})

describe('close frames', () => {
  test.each([
    ['of one byte', '03', 1002],
    ['1005', '03ed', 1002],
    ['1006', '03ee', 1002],
    ['1015', '03f7', 1002],
    ['999', '03e7', 1002],
    ['5000', '1388', 1002],
    ['a reason that is no UTF-8', '03e8ff', 1007],
  ])('%s [threat F11]', async (_, payload, code) => {
    const { peer, close } = await accepted()
    peer.send(webSocketFrame(hex(payload), { masked: true, opcode: 8 }))
    expect(await closeCodeOf(peer)).toBe(code)
    await peer.destroy()
    expect((await close).clean).toBe(false)
  })

  test('what follows one is ignored, and does not go on for ever [threat F15]', async () => {
    const { peer, close, frames } = await accepted()
    peer.socket.on('error', () => undefined)
    peer.send(webSocketFrame(hex('03e8'), { masked: true, opcode: 8 }))
    const junk = webSocketFrame(new Uint8Array(10_000), { masked: true })
    for (let at = 0; at < 1_000 && !peer.socket.destroyed; at += 1) peer.send(junk)
    expect((await close).clean).toBe(true)
    expect(frames).toEqual([])
  })
})

test('text in two pieces is refused at its first byte [threat F12]', async () => {
  const { peer } = await accepted()
  peer.send(piece('a', { opcode: 1, fin: false }))
  expect(await closeCodeOf(peer)).toBe(1003)
})

test('a peer that was refused and never closes is cut', async () => {
  const listener = await ws({ host, port: 0 }).listen!({
    onLink: () => undefined,
    onError: () => undefined,
    maxFrame: 66_560,
    handshakeMs: 60_000,
    maxConnections: 10,
  })
  releases.push(() => listener.close())
  const socket = net.connect({ host, port: listener.port, allowHalfOpen: true })
  socket.on('error', () => undefined)
  socket.resume()
  socket.write(
    'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
  )
  await once(socket, 'end')
  // Its own end never comes: only a destroyed socket answers further bytes with a reset.
  const dripping = setInterval(() => socket.write('x'), 50)
  await new Promise((resolve) => socket.once('close', resolve))
  clearInterval(dripping)
  expect(socket.destroyed).toBe(true)
})
