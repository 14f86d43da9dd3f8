// Serves `probe` to pages until its standard input ends. Prints its address.

import { ws } from '@callbox/transport-ws'
import { createProbe } from './service.ts'

const server = createProbe()
// Vitest's page has a port of its own: another origin.
const { port } = await server.listen(ws({ host: '127.0.0.1', port: 0, origins: '*' }))
console.log(`ws://127.0.0.1:${port}/`)
process.stdin.on('end', () => void server.close({ graceMs: 0 })).resume()
