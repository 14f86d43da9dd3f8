// Certificates for tests, made on the spot: a repository with certificates in it expires.
//   in  -> names, times
//   out -> PEM texts: X.509 v3 (RFC 5280), ECDSA with SHA-256 on P-256
// The least DER that node:tls accepts. Not for anything but tests.

import {
  createPrivateKey,
  generateKeyPairSync,
  randomBytes,
  sign,
  type KeyObject,
} from 'node:crypto'

/** A certificate with its key. */
export interface Certified {
  readonly cert: string
  readonly key: string
}

export interface CertificateOptions {
  /** Common name of the subject. */
  readonly name: string
  /** Names and IPv4 addresses that the certificate is for. */
  readonly hosts?: readonly string[]
  /** Days from now; in the past: expired. Default 1. */
  readonly days?: number
}

/** An authority, and what it signs. */
export interface Authority extends Certified {
  /** Signs a certificate for servers and clients. */
  issue(options: CertificateOptions): Certified
}

const dayMs = 86_400_000

export function authority(name = 'Callbox test authority'): Authority {
  const pair = newPair()
  const own = build({
    subject: name,
    issuer: name,
    days: 1,
    hosts: [],
    isAuthority: true,
    pair,
    signer: pair.privateKey,
  })
  return {
    ...own,
    issue: ({ name: subject, hosts = [], days = 1 }) =>
      build({
        subject,
        issuer: name,
        days,
        hosts,
        isAuthority: false,
        pair: newPair(),
        signer: createPrivateKey(own.key),
      }),
  }
}

interface KeyPair {
  readonly publicKey: KeyObject
  readonly privateKey: KeyObject
}

function newPair(): KeyPair {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' })
}

interface Parts {
  readonly subject: string
  readonly issuer: string
  readonly days: number
  readonly hosts: readonly string[]
  readonly isAuthority: boolean
  readonly pair: KeyPair
  readonly signer: KeyObject
}

/** RFC 5280, section 4.1: Certificate ::= { tbsCertificate, signatureAlgorithm, signatureValue }. */
function build({ subject, issuer, days, hosts, isAuthority, pair, signer }: Parts): Certified {
  const algorithm = sequence(oid('2a8648ce3d040302'))
  const until = Date.now() + days * dayMs
  const tbs = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    // A positive integer: the first bit is 0.
    der(0x02, Buffer.concat([Buffer.from([0x01]), randomBytes(8)])),
    algorithm,
    distinguishedName(issuer),
    sequence(time(Math.min(Date.now(), until) - dayMs), time(until)),
    distinguishedName(subject),
    pair.publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(...extensions(hosts, isAuthority))),
  )
  const signature = sign('sha256', tbs, signer)
  const certificate = sequence(tbs, algorithm, bits(signature))
  return {
    cert: pem('CERTIFICATE', certificate),
    key: pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  }
}

/** Section 4.2: extension ::= { id, critical, OCTET STRING around the value }. */
function extensions(hosts: readonly string[], isAuthority: boolean): Buffer[] {
  const yes = der(0x01, Buffer.from([0xff]))
  const list = [sequence(oid('551d13'), yes, der(0x04, sequence(...(isAuthority ? [yes] : []))))]
  if (hosts.length > 0)
    list.push(sequence(oid('551d11'), der(0x04, sequence(...hosts.map(generalName)))))
  return list
}

/** dNSName [2], iPAddress [7]. */
function generalName(host: string): Buffer {
  const address = /^\d+\.\d+\.\d+\.\d+$/.test(host)
  return address
    ? der(0x87, Buffer.from(host.split('.').map(Number)))
    : der(0x82, Buffer.from(host))
}

function distinguishedName(commonName: string): Buffer {
  return sequence(der(0x31, sequence(oid('550403'), der(0x0c, Buffer.from(commonName)))))
}

/** UTCTime, which holds for years to 2049. */
function time(ms: number): Buffer {
  const text = new Date(ms).toISOString().replaceAll(/[-:T]/g, '').slice(2, 14)
  return der(0x17, Buffer.from(`${text}Z`))
}

function oid(body: string): Buffer {
  return der(0x06, Buffer.from(body, 'hex'))
}

function bits(body: Uint8Array): Buffer {
  return der(0x03, Buffer.concat([Buffer.from([0]), body]))
}

function sequence(...parts: Uint8Array[]): Buffer {
  return der(0x30, Buffer.concat(parts))
}

/** Tag, length, body. */
function der(tag: number, body: Uint8Array): Buffer {
  const { length } = body
  const size =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >>> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...size]), body])
}

function pem(label: string, body: Buffer): string {
  const lines = body.toString('base64').replaceAll(/.{64}/g, '$&\n')
  return `-----BEGIN ${label}-----\n${lines.trimEnd()}\n-----END ${label}-----\n`
}
