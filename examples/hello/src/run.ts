// One server, three transports: prints what comes back over each.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { tcp, unix } from '@callbox/transport-tcp'
import { ws } from '@callbox/transport-ws'
import { callHello } from './client.ts'
import { server } from './server.ts'

const folder = await mkdtemp(join(tmpdir(), 'hello-'))
const path = join(folder, 'socket')
const overTcp = await server.listen(tcp({ port: 0 }))
const overWs = await server.listen(ws({ port: 0 }))
await server.listen(unix({ path }))
for (const to of [
  tcp({ port: overTcp.port }),
  unix({ path }),
  ws(`ws://127.0.0.1:${overWs.port}/`),
])
  console.log(`${to.name}: ${(await callHello(to)).join(', ')}`)
await server.close()
await rm(folder, { recursive: true })
