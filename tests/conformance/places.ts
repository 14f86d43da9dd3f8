// Where the cases run: every transport, with what listens, what dials, and how a raw peer gets there.
//   in  -> a name
//   out -> a `Place`, at an address that nobody else uses

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Transport } from '@callbox/server'
import { memory } from '@callbox/testing'
import type { RawAddress } from '@callbox/testing/node'
import { tcp, tls, unix } from '@callbox/transport-tcp'
import { ws } from '@callbox/transport-ws'
import { authority } from '../certificates.ts'

export interface Place {
  readonly listenOn: Transport
  readonly to: (port: number) => Transport
  /** Undefined where there is no socket. */
  readonly raw: ((port: number) => RawAddress) | undefined
  readonly clean: () => void
}

const host = '127.0.0.1'
const clean = (): void => undefined
let issued: { readonly ca: string; readonly cert: string; readonly key: string } | undefined

/** Made when first asked for: it takes a moment. */
function certificates(): NonNullable<typeof issued> {
  if (issued === undefined) {
    const signer = authority()
    const { cert, key } = signer.issue({ name: 'server', hosts: [host] })
    issued = { ca: signer.cert, cert, key }
  }
  return issued
}

export const places = {
  memory() {
    const transport = memory()
    return { listenOn: transport, to: () => transport, raw: undefined, clean }
  },
  tcp: () => ({
    listenOn: tcp({ host, port: 0 }),
    to: (port) => tcp({ host, port }),
    raw: (port) => ({ port }),
    clean,
  }),
  tls() {
    const { ca, cert, key } = certificates()
    return {
      listenOn: tls({ host, port: 0, cert, key }),
      to: (port) => tls({ host, port, ca }),
      raw: (port) => ({ port, tls: { ca } }),
      clean,
    }
  },
  unix() {
    const folder = mkdtempSync(join(tmpdir(), 'callbox-'))
    const path = join(folder, 'socket')
    return {
      listenOn: unix({ path }),
      to: () => unix({ path }),
      raw: () => ({ path }),
      clean: () => rmSync(folder, { recursive: true, force: true }),
    }
  },
  ws: () => ({
    listenOn: ws({ host, port: 0 }),
    to: (port) => ws(`ws://${host}:${port}/`),
    raw: (port) => ({ port, ws: true }),
    clean,
  }),
  wss() {
    const { ca, cert, key } = certificates()
    return {
      listenOn: ws({ host, port: 0, cert, key }),
      to: (port) => ws(`wss://${host}:${port}/`, { ca }),
      raw: (port) => ({ port, ws: true, tls: { ca } }),
      clean,
    }
  },
} satisfies Readonly<Record<string, () => Place>>

export type PlaceName = keyof typeof places
