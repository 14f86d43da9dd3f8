// The page's one connection: who this tab is, and streams that outlive a lost link.
//   in  -> sessionStorage, contracts
//   out -> `client`, `follow`, the state of the connection in words
// A tab is a player. The seat token lives as long as the tab, also over a reload.

import { createClient, type Items, RpcError } from '@callbox/client'
import { ws } from '@callbox/transport-ws'
import { lobby } from '../src/contract.ts'

const endpoint = new URL('/rpc', location.href)
endpoint.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:'

export const client = createClient({ lobby }, ws(endpoint.href), { credential: seatToken })

/** Who has it, has the seat. `crypto.randomUUID` is missing on pages that are not https. */
function seatToken(): string {
  const kept = sessionStorage.getItem('seat')
  if (kept !== null) return kept
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  const token = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
  sessionStorage.setItem('seat', token)
  return token
}

/**
 * Reads a stream to its end, and opens it again whenever the connection was lost in between.
 * Returns when the stream ends or `signal` fires; throws the error that the contract declares.
 */
export async function follow<T>(
  open: (options: { signal: AbortSignal }) => Items<T>,
  show: (item: T) => void,
  signal: AbortSignal,
): Promise<void> {
  const slowest = 5_000
  for (let failures = 0; !signal.aborted; failures++) {
    try {
      for await (const item of open({ signal })) {
        failures = 0
        show(item)
      }
      return
    } catch (error) {
      if (signal.aborted) return
      if (!(error instanceof RpcError) || error.tag !== undefined || client.state === 'closed')
        throw error
      // The first attempt waits for the connection by itself; further ones must not spin.
      if (failures > 0) await pause(Math.min(slowest, 250 * 2 ** failures), signal)
    }
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms)
    function done(): void {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    signal.addEventListener('abort', done)
  })
}

/** Keeps `chip` saying how the connection is, down to the seconds until the next attempt. */
export function showConnection(chip: HTMLElement): void {
  let timer: ReturnType<typeof setInterval> | undefined
  const say = (state: string, text: string): void => {
    chip.dataset['state'] = state
    chip.textContent = text
  }
  client.on('state', ({ state, retryInMs }) => {
    clearInterval(timer)
    if (state !== 'reconnecting') return say(state, state)
    const due = performance.now() + (retryInMs ?? 0)
    const count = (): void => {
      const seconds = Math.ceil((due - performance.now()) / 1_000)
      say(state, seconds > 0 ? `reconnecting in ${seconds} s` : 'reconnecting')
    }
    count()
    timer = setInterval(count, 250)
  })
  say(client.state, client.state === 'idle' ? 'connecting' : client.state)
}
