// The handlers, and a server that does not care how its clients come.
import { createServer, implement } from '@callbox/server'
import { hello } from './contract.ts'

const service = implement(hello, {
  greet: ({ name }, { connection }) => `Hello ${name}, over ${connection.peer.transport}!`,
  count: async function* ({ to }) {
    for (let n = 1; n <= to; n++) yield n
  },
})

export const server = createServer({ services: [service], limits: 'internal' })
