// A tunnel through an HTTP proxy (CONNECT, RFC 9110, section 9.3.6).
//   in  -> the proxy's URL, where to
//   out -> a socket whose other end is there

import * as http from 'node:http'
import * as https from 'node:https'
import { isIP } from 'node:net'
import type { Duplex } from 'node:stream'
import { maxHeaderBytes } from './upgrade.ts'

interface Signal {
  readonly aborted: boolean
  readonly reason?: unknown
  addEventListener(type: 'abort', listener: () => void): void
  removeEventListener(type: 'abort', listener: () => void): void
}

/** Credentials of the proxy's URL go to the proxy, as Basic. Rejects if it does not answer 2xx. */
export function tunnel(proxy: URL, target: URL, signal: Signal | undefined): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const request = requestOf(proxy, target)
    const onAbort = (): void =>
      void request.destroy(signal?.reason instanceof Error ? signal.reason : new Error('aborted'))
    const leave = (): void => signal?.removeEventListener('abort', onAbort)
    signal?.addEventListener('abort', onAbort)
    const fail = (error: Error): void => {
      leave()
      request.destroy()
      reject(error)
    }
    request.on('error', fail)
    request.on('response', (answer) => fail(new Error(`the proxy answered ${answer.statusCode}`)))
    request.on('connect', (answer, socket, head) => {
      leave()
      socket.on('error', () => undefined)
      const { statusCode = 0 } = answer
      if (statusCode >= 200 && statusCode < 300 && head.length === 0) return resolve(socket)
      socket.destroy()
      reject(
        new Error(
          head.length > 0
            ? 'the proxy sent bytes before the server could'
            : `the proxy answered ${statusCode}`,
        ),
      )
    })
    request.end()
    if (signal?.aborted === true) onAbort()
  })
}

function requestOf(proxy: URL, target: URL): http.ClientRequest {
  const secure = proxy.protocol === 'https:'
  const host = proxy.hostname.replace(/^\[|\]$/g, '')
  const port = target.port === '' ? (target.protocol === 'wss:' ? 443 : 80) : Number(target.port)
  const authority = `${target.hostname}:${port}`
  const user = decodeURIComponent(proxy.username)
  const password = decodeURIComponent(proxy.password)
  const credentials = Buffer.from(`${user}:${password}`).toString('base64')
  return (secure ? https : http).request({
    ...(secure ? { servername: isIP(host) === 0 ? host : '' } : {}),
    method: 'CONNECT',
    host,
    port: proxy.port === '' ? (secure ? 443 : 80) : Number(proxy.port),
    path: authority,
    agent: false,
    maxHeaderSize: maxHeaderBytes,
    headers: {
      Host: authority,
      ...(user === '' && password === '' ? {} : { 'Proxy-Authorization': `Basic ${credentials}` }),
    },
  })
}

/** Throws TypeError for a URL that is no HTTP proxy's. */
export function checkedProxy(proxy: string | URL): URL {
  const url = new URL(proxy)
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw new TypeError('ws: the proxy must begin with http:// or https://')
  return url
}
