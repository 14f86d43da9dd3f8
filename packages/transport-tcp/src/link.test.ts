import * as nodeTls from 'node:tls'
import { RawPeer, RawServer, hex, prefixed } from '@callbox/testing/node'
import type { Link, LinkClose, Listener, ListenOptions, Transport } from '@callbox/core/internal'
import { existsSync, mkdtempSync, renameSync, rmSync, statSync } from 'node:fs'
import * as net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { authority } from '../../../tests/certificates.ts'
import { tcp, tls, unix } from './index.ts'

const host = '127.0.0.1'
const shortest = hex('12 00 00000001')

/** Runs after each test, the newest first. */
const releases: (() => unknown)[] = []
afterEach(async () => {
  for (const release of releases.splice(0).toReversed()) await release()
})

interface Heard {
  readonly frames: string[]
  readonly close: Promise<LinkClose>
}

/** Opens a link and notes what it says. */
function heard(link: Link): Heard {
  const frames: string[] = []
  releases.push(() => link.abort())
  const close = new Promise<LinkClose>((resolve) => {
    link.open({
      onFrame: (buffer, start, end) =>
        frames.push(Buffer.from(buffer.subarray(start, end)).toString('hex')),
      onDrain: () => undefined,
      onClose: resolve,
    })
  })
  return { frames, close }
}

interface Listening {
  readonly listener: Listener
  readonly link: Promise<Link>
  readonly error: Promise<unknown>
}

async function listen(
  transport: Transport,
  options: Partial<ListenOptions> = {},
): Promise<Listening> {
  let onLink: (link: Link) => void = () => undefined
  let onError: (error: unknown) => void = () => undefined
  const link = new Promise<Link>((resolve) => {
    onLink = resolve
  })
  const error = new Promise<unknown>((resolve) => {
    onError = resolve
  })
  const terms = { maxFrame: 66_560, handshakeMs: 5_000, maxConnections: 10, onError }
  const listener = await transport.listen!({
    ...terms,
    onLink: (accepting) => {
      releases.push(() => accepting.abort())
      onLink(accepting)
    },
    ...options,
  })
  releases.push(() => listener.close())
  return { listener, link, error }
}

function dial(transport: Transport, signal = new AbortController().signal): Promise<Link> {
  return transport.dial!({ signal, maxFrame: 66_560 })
}

async function rawTo(port: number): Promise<RawPeer> {
  const peer = await RawPeer.connect({ port })
  releases.push(() => peer.destroy())
  return peer
}

/** A link of our listener with a raw peer at its other end. */
async function accepted(): Promise<{ peer: RawPeer; heard: Heard; link: Link }> {
  const { listener, link } = await listen(tcp({ host, port: 0 }))
  const peer = await rawTo(listener.port)
  const accepting = await link
  return { peer, heard: heard(accepting), link: accepting }
}

describe('bytes on the wire', () => {
  test('every frame has its length in front, all of one flush in one piece', async () => {
    const server = await RawServer.listen()
    releases.push(() => server.close())
    const [link, peer] = await Promise.all([
      dial(tcp({ host, port: server.port })),
      server.accept(),
    ])
    heard(link)
    const chunk = new Promise<string>((resolve) =>
      peer.socket.once('data', (bytes: Buffer) => resolve(bytes.toString('hex'))),
    )
    const slab = Uint8Array.from(hex('00000000 120000000001 00000000 120000000003'))
    link.write(slab, 4, 10)
    link.write(slab, 14, 20)
    const apart = hex('00000000 120000000005')
    link.write(apart, 4, 10)
    link.flush()
    expect(await chunk).toBe(
      '00000006120000000001' + '00000006120000000003' + '00000006120000000005',
    )
  })

  test('what comes with the end of the peer is delivered, then the link is clean', async () => {
    const { peer, heard: end } = await accepted()
    peer.socket.end(Buffer.concat([prefixed(shortest), prefixed(shortest)]))
    expect(await end.close).toEqual({ clean: true, reason: '' })
    expect(end.frames).toEqual(['120000000001', '120000000001'])
  })

  test('an end inside a frame is not clean', async () => {
    const { peer, heard: end } = await accepted()
    peer.socket.end(hex('00000006 1200'))
    const close = await end.close
    expect(close.clean).toBe(false)
    expect(close.reason).toBe('the peer ended inside a frame')
  })

  test('a reset is not clean and names its cause', async () => {
    const { peer, heard: end } = await accepted()
    peer.socket.resetAndDestroy()
    expect(await end.close).toMatchObject({ clean: false, reason: 'ECONNRESET' })
  })

  test.each([
    ['an HTTP request', '474554202f20485454502f312e310d0a0d0a'],
    ['a TLS client hello', '16030102000100'],
    ['an SSH banner', '5353482d322e302d'],
    ['length 0', '00000000'],
    ['length 66,561', '00010401'],
  ])('%s costs the link, nobody else [case C11]', async (_, bytes) => {
    const { peer, heard: end } = await accepted()
    peer.send(hex(bytes))
    expect(await end.close).toMatchObject({ clean: false, error: { code: 'protocol' } })
    await peer.closed
    expect(end.frames).toEqual([])
  })

  test('a peer that floods a closed and paused link fills no memory', async () => {
    const { peer, heard: end, link } = await accepted()
    link.pause()
    const closing = link.close()
    await peer.closed
    // Taken and dropped, or the callback would not come before the close timeout.
    const frame = prefixed(new Uint8Array(66_560))
    for (let count = 0; count < 64; count += 1) peer.send(frame)
    peer.socket.end()
    await closing
    expect(end.frames).toEqual([])
    expect((await end.close).clean).toBe(true)
  })
})

describe('dial', () => {
  test('rejects with the cause where nobody listens', async () => {
    const { listener } = await listen(tcp({ host, port: 0 }))
    await listener.close()
    await expect(dial(tcp({ host, port: listener.port }))).rejects.toMatchObject({
      code: 'ECONNREFUSED',
    })
    await expect(dial(unix({ path: '/nonexistent/callbox.sock' }))).rejects.toMatchObject({
      code: 'ENOENT',
    })
  })

  test('an abort on the way rejects with its reason', async () => {
    const { listener } = await listen(tcp({ host, port: 0 }))
    const controller = new AbortController()
    const dialing = dial(tcp({ host, port: listener.port }), controller.signal)
    const reason = new Error('given up')
    controller.abort(reason)
    await expect(dialing).rejects.toBe(reason)
  })

  test.each([-1, 65_536, 1.5, Number.NaN])('port %s is refused', (port) => {
    expect(() => tcp({ port })).toThrow(RangeError)
    expect(() => tls({ port })).toThrow(RangeError)
  })
})

test('listening on a port in use rejects with EADDRINUSE', async () => {
  const { listener } = await listen(tcp({ host, port: 0 }))
  await expect(listen(tcp({ host, port: listener.port }))).rejects.toMatchObject({
    code: 'EADDRINUSE',
  })
})

describe('unix sockets', () => {
  function socketPath(): string {
    const folder = mkdtempSync(join(tmpdir(), 'callbox-'))
    releases.push(() => rmSync(folder, { recursive: true }))
    return join(folder, 'a.sock')
  }

  test('belong to this user, and are removed on close [threat T9]', async () => {
    const path = socketPath()
    const { listener } = await listen(unix({ path }))
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect([listener.address, listener.port]).toEqual([path, 0])
    await listener.close()
    expect(existsSync(path)).toBe(false)
  })

  test('a file that a killed process left is replaced; one that answers is not [threat T9]', async () => {
    const path = socketPath()
    // A listener removes its file by name: under another name it stays, as after a kill.
    const left = net.createServer()
    await new Promise<void>((resolve) => left.listen(`${path}.left`, resolve))
    renameSync(`${path}.left`, path)
    await new Promise((resolve) => left.close(resolve))
    expect(existsSync(path)).toBe(true)
    await listen(unix({ path }))
    await expect(listen(unix({ path }))).rejects.toMatchObject({ code: 'EADDRINUSE' })
  })
})

describe('TLS', () => {
  const ca = authority()
  const server = ca.issue({ name: 'server', hosts: ['localhost', host] })
  const client = ca.issue({ name: 'client' })

  test.each([
    [
      'another host name',
      ca.issue({ name: 'server', hosts: ['other.example'] }),
      'ERR_TLS_CERT_ALTNAME_INVALID',
    ],
    [
      'an expired certificate',
      ca.issue({ name: 'server', hosts: [host], days: -1 }),
      'CERT_HAS_EXPIRED',
    ],
    [
      'an unknown authority',
      authority('another').issue({ name: 'server', hosts: [host] }),
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    ],
  ])('%s: the dial rejects [case C28] [threat T5]', async (_, certified, code) => {
    const { listener, error } = await listen(tls({ host, port: 0, ...certified }), {
      handshakeMs: 100,
    })
    await expect(dial(tls({ host, port: listener.port, ca: ca.cert }))).rejects.toMatchObject({
      code,
    })
    // The server's half of the handshake is given up in its own time.
    await error
  })

  test('the verified certificate of a client is in its peer [case C27] [threat T4]', async () => {
    const { listener, link } = await listen(
      tls({ host, port: 0, ...server, ca: ca.cert, requestCert: true }),
    )
    const near = await dial(tls({ host, port: listener.port, ca: ca.cert, ...client }))
    heard(near)
    const far = await link
    heard(far)
    expect(far.peer).toMatchObject({ transport: 'tls', certificate: { subject: { CN: 'client' } } })
    expect(near.peer).toMatchObject({ certificate: { subject: { CN: 'server' } } })
  })

  test('without requestCert, or unverified where that is let in, there is none [case C27] [threat T4]', async () => {
    const stranger = authority('another').issue({ name: 'stranger' })
    for (const options of [{}, { requestCert: true, rejectUnauthorized: false }]) {
      const { listener, link } = await listen(
        tls({ host, port: 0, ...server, ca: ca.cert, ...options }),
      )
      heard(await dial(tls({ host, port: listener.port, ca: ca.cert, ...stranger })))
      const far = await link
      heard(far)
      expect(far.peer).not.toHaveProperty('certificate')
    }
  })

  test('with requestCert a client without a certificate gets no link [case C27] [threat T4]', async () => {
    let links = 0
    const { listener, error } = await listen(
      tls({ host, port: 0, ...server, ca: ca.cert, requestCert: true }),
      { onLink: () => (links += 1) },
    )
    // In TLS 1.3 the client is through before the server has judged it.
    const near = await dial(tls({ host, port: listener.port, ca: ca.cert }))
    expect((await heard(near).close).clean).toBe(false)
    expect(await error).toBeInstanceOf(Error)
    expect(links).toBe(0)
  })

  test('a peer that does not finish its handshake in time is cut [threat H4]', async () => {
    const refused: string[] = []
    const { listener } = await listen(tls({ host, port: 0, ...server }), {
      handshakeMs: 50,
      onRefused: (limit) => refused.push(limit),
    })
    const peer = await rawTo(listener.port)
    await peer.closed
    await expect.poll(() => refused).toEqual(['handshakeMs'])
    await expect.poll(() => listener.arriving).toBe(0)
  })

  test('a link comes with the time that its handshake has taken [threat H4]', async () => {
    const elapsed: (number | undefined)[] = []
    const { listener, link } = await listen(tls({ host, port: 0, ...server }), {
      onLink: (accepting, elapsedMs) => {
        elapsed.push(elapsedMs)
        accepting.abort()
      },
    })
    void link
    const raw = net.connect({ host, port: listener.port })
    // From its accept on, whenever that was.
    await expect.poll(() => listener.arriving).toBe(1)
    await new Promise((resolve) => setTimeout(resolve, 60))
    const socket = nodeTls.connect({
      socket: raw,
      ca: ca.cert,
      checkServerIdentity: () => undefined,
    })
    socket.on('error', () => undefined).resume()
    await new Promise((resolve) => socket.once('close', resolve))
    expect(elapsed).toHaveLength(1)
    expect(elapsed[0]).toBeGreaterThan(55)
  })
})

describe('limits', () => {
  const frameMs = 50

  test('over maxConnections, or when the owner is full: a reset [threat X1]', async () => {
    const refused: string[] = []
    let full: 'maxPreAuth' | undefined
    let links = 0
    const { listener } = await listen(tcp({ host, port: 0 }), {
      onLink: (accepting) => {
        links += 1
        heard(accepting)
      },
      maxConnections: 2,
      full: () => full,
      onRefused: (limit) => refused.push(limit),
    })
    // The reset may come before the peer knows that it was connected.
    const isReset = (): Promise<void> =>
      rawTo(listener.port).then(
        ({ closed }) => closed,
        () => undefined,
      )
    await rawTo(listener.port)
    full = 'maxPreAuth'
    await isReset()
    full = undefined
    const second = await rawTo(listener.port)
    await isReset()
    await second.destroy()
    await expect.poll(() => refused).toEqual(['maxPreAuth', 'maxConnections'])
    // Once the server has seen the end of the second there is room again.
    links = 0
    const another = async (): Promise<number> => {
      await rawTo(listener.port).catch(() => undefined)
      return links
    }
    await expect.poll(another).toBe(1)
  })

  test('a frame whose rest is held back costs the link [threat F4]', async () => {
    const { listener, link } = await listen(tcp({ host, port: 0 }), { frameMs })
    const peer = await rawTo(listener.port)
    const end = heard(await link)
    peer.send(hex('00000006 120000000001 00000006 1200'))
    expect(await end.close).toMatchObject({
      clean: false,
      reason: expect.stringContaining('limits.frameMs'),
      limit: 'frameMs',
    })
    expect(end.frames).toEqual(['120000000001'])
  })

  test('the first frame of a stranger has a limit of its own, read off its length [threat H8] [threat H9]', async () => {
    const { listener, link } = await listen(tcp({ host, port: 0 }), { maxFirstFrame: 16_384 })
    const peer = await rawTo(listener.port)
    const end = heard(await link)
    peer.send(hex('00004001'))
    expect(await end.close).toMatchObject({
      reason: expect.stringContaining('limits.maxHello (16384)'),
      limit: 'maxHello',
    })
  })

  test('later frames do not', async () => {
    const { listener, link } = await listen(tcp({ host, port: 0 }), { maxFirstFrame: 16_384 })
    const peer = await rawTo(listener.port)
    const end = heard(await link)
    const long = new Uint8Array(66_560).fill(0x12)
    peer.send(Buffer.concat([prefixed(long.subarray(0, 16_384)), prefixed(long)]))
    await expect.poll(() => end.frames.length).toBe(2)
    expect(end.frames[1]).toHaveLength(2 * 66_560)
    peer.send(hex('00010401'))
    expect(await end.close).toMatchObject({ limit: 'maxFrame' })
  })
})
