// Bun's own WebSockets, for the interoperation tests.
//   in  -> serve | call URL; deflate | plain; for call the sizes of messages as JSON on standard input
//   out -> serve: its port, then it echoes until its input ends
//          call: what was agreed on, after all messages have come back

const [what, ...rest] = process.argv.slice(2)
const perMessageDeflate = rest.at(-1) === 'deflate'
const limit = 64 * 1024 * 1024

if (what === 'serve') await serve()
else await call(rest[0])

async function serve() {
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch: (request, self) =>
      self.upgrade(request) ? undefined : new Response('no upgrade', { status: 426 }),
    websocket: {
      perMessageDeflate,
      maxPayloadLength: limit,
      backpressureLimit: limit,
      message: (socket, message) => void socket.send(message, perMessageDeflate),
    },
  })
  console.log(server.port)
  await Bun.stdin.text()
  await server.stop(true)
}

async function call(url) {
  const sizes = JSON.parse(await Bun.stdin.text())
  const socket = new WebSocket(url, { perMessageDeflate })
  socket.binaryType = 'arraybuffer'
  await next(socket, 'open')
  for (const size of sizes) {
    await echo(socket, 'Callbox é € 😀 '.repeat(size).slice(0, size))
    await echo(
      socket,
      Uint8Array.from({ length: size }, (_, at) => (at * 7 + Math.floor(at / 251)) & 0xff),
    )
  }
  console.log(socket.extensions)
  const closed = next(socket, 'close')
  socket.close(1000, 'bye')
  const { code, wasClean } = await closed
  if (code !== 1000 || !wasClean) throw new Error(`closed with ${code}`)
}

async function echo(socket, message) {
  const answer = next(socket, 'message')
  socket.send(message)
  const { data } = await answer
  const same =
    typeof data === 'string' || typeof message === 'string'
      ? data === message
      : Buffer.compare(Buffer.from(data), message) === 0
  if (!same) throw new Error(`${typeof message} of ${message.length} came back changed`)
}

function next(socket, name) {
  return new Promise((resolve, reject) => {
    socket.addEventListener(name, resolve, { once: true })
    socket.addEventListener('error', () => reject(new Error('the WebSocket failed')), {
      once: true,
    })
  })
}
