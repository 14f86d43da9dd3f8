// The page of life.test.ts: a stream that must lose nothing, whatever happens to the page.
//   in  -> a server at /rpc of its own host
//   out -> `life`, for the test to look at

import { createClient } from '@callbox/client'
import { ws } from '@callbox/transport-ws'
import { life } from './contract.ts'

const client = createClient({ life }, ws('/rpc'), { limits: 'fast' })

/** What the test reads, by its name on `globalThis`. */
const seen = {
  items: [] as number[],
  events: [] as string[],
  /** When the page was shown again, and when the client was connected after that. */
  shownAt: 0,
  connectedAt: 0,
  failed: '',
  state: () => client.state,
  echo: (text: string) => client.life.echo(text),
}
Object.assign(globalThis, { life: seen })

client.on('state', ({ state }) => {
  seen.events.push(state)
  if (state === 'connected') seen.connectedAt = performance.now()
})
client.on('resumed', () => seen.events.push('resumed'))
client.on('sessionLost', () => seen.events.push('sessionLost'))
addEventListener('pageshow', (event) => {
  seen.shownAt = performance.now()
  if (event.persisted) seen.events.push('pageshow')
})

async function read(): Promise<void> {
  try {
    for await (const n of client.life.ticks()) seen.items.push(n)
  } catch (error) {
    seen.failed = String(error)
  }
}
void read()
