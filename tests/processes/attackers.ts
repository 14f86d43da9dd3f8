// Attackers in a process of their own, so that what they hold is not counted as the server's.
//   in  -> port, how many (a multiple of 50 for `stall`), which: `stall` never reads; `mix` breaks rules, one after the other
//   out -> one line when all of them are at it; ends when its input does

import { createInterface } from 'node:readline'
import {
  hex,
  rawCancel,
  rawCredit,
  rawData,
  rawFrame,
  rawHello,
  RawPeer,
  rawPing,
  rawRequest,
  u32,
} from '@callbox/testing/node'

const host = '127.0.0.1'
const [port = 0, count = 0] = process.argv.slice(2, 4).map(Number)
const kind = process.argv[4]
let over = false

/** Asks for more than fits anywhere, and reads none of it. */
function stall(peer: RawPeer): void {
  peer.socket.pause()
  const value = new Array<number>(100).fill(60_000)
  for (let call = 0; call < 8; call += 1)
    peer.sendFrames(rawRequest({ id: 2 * call + 1, method: 'conf.download', value }))
}

/** Welcomed, however long others keep the server busy. */
async function welcomed(): Promise<RawPeer> {
  for (;;) {
    const peer = await RawPeer.connect({ host, port }).catch(() => undefined)
    if (peer === undefined) continue
    const done = await peer.handshake().then(
      () => true,
      () => false,
    )
    if (done) return peer
    await peer.destroy()
  }
}

const name = (method: string): Uint8Array => Uint8Array.of(method.length, ...Buffer.from(method))
const bomb = Uint8Array.of(0xdc, 0x40, 0, ...new Array<number>(16_384).fill(0x80))

/** What one attacker sends after its HELLO. Each ends the connection, or leaves it hanging. */
const attacks: readonly (() => readonly Uint8Array[])[] = [
  // Half a message, 4 MiB declared.
  () => [rawFrame(0x10, 0x09, 1, name('conf.size'), u32(4_194_304), Uint8Array.of(0xc6))],
  // Rapid reset.
  () =>
    Array.from({ length: 600 }, (_, at) => [
      rawRequest({ id: 2 * at + 1, method: 'conf.hang', value: 'x' }),
      rawCancel(2 * at + 1),
    ]).flat(),
  // More than its slots.
  () =>
    Array.from({ length: 300 }, (_, at) =>
      rawRequest({ id: 2 * at + 1, method: 'conf.hang', value: 'x' }),
    ),
  // Values that are small on the wire.
  () =>
    Array.from({ length: 16 }, (_, at) =>
      rawFrame(0x10, 0x0a, 2 * at + 1, name('conf.values'), bomb),
    ),
  // Nesting, record definitions, a length that lies.
  () => [
    rawFrame(0x10, 0x0a, 1, name('conf.values'), new Uint8Array(60_000).fill(0x91)),
    rawFrame(0x10, 0x0a, 3, name('conf.values'), hex('d4 72 40 91 a1 78 05')),
    rawFrame(0x10, 0x0a, 5, name('conf.values'), hex('dd ff ff ff ff')),
  ],
  () => Array.from({ length: 1_000 }, () => rawPing()),
  () => [
    rawRequest({ id: 1, method: 'conf.hangStream', value: { id: 'x', items: 0 } }),
    ...Array.from({ length: 100 }, () => rawCredit(1, 1)),
  ],
  () => [
    rawRequest({ id: 1, method: 'conf.hangUpload', value: { id: 'x' }, open: true }),
    ...Array.from({ length: 6 }, () => rawData(1, 'x'.repeat(60_000))),
  ],
  () => [rawFrame(0x60, 0, 1)],
  () => [rawHello()],
]

/** One attack after the other, each over a connection of its own, until the input ends. */
async function mix(first: number): Promise<void> {
  for (let at = first; !over; at += 1) {
    const peer = await RawPeer.connect({ host, port }).catch(() => undefined)
    if (peer === undefined) continue
    try {
      await peer.handshake()
      if (at % 7 === 0) peer.socket.pause()
      peer.sendFrames(...attacks[at % attacks.length]!())
      // As long as it lasts, but not for ever.
      await Promise.race([peer.closed, new Promise((resolve) => setTimeout(resolve, 1_000))])
    } catch {
      // Cut: that is what it is for.
    }
    await peer.destroy()
  }
}

if (kind === 'mix') for (let at = 0; at < count; at += 1) void mix(at)
else {
  const peers: RawPeer[] = []
  while (peers.length < count)
    peers.push(...(await Promise.all(Array.from({ length: 50 }, () => welcomed()))))
  for (const peer of peers) stall(peer)
}
console.log('at it')
createInterface({ input: process.stdin }).on('close', () => {
  over = true
  process.exit(0)
})
