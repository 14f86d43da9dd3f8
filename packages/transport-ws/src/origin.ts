// Which pages may connect: a browser sends cookies with a WebSocket of any page (CSWSH).
//   in  -> the Origin, Host and Cookie of an upgrade request, a rule
//   out -> why it is refused, or undefined

/** Which pages may connect: same host as the server's, these origins, or whom a function lets in. */
export type OriginRule = 'same-host' | '*' | readonly string[] | ((origin: string) => boolean)

export interface OriginTerms {
  readonly rule: OriginRule
  /** The server speaks TLS itself, so that its own origin is known to be https. */
  readonly secure: boolean
  /** The server listens on a loopback address: only names that cannot be rebound are its own. */
  readonly loopback: boolean
}

export interface OriginHeaders {
  readonly origin?: string | undefined
  readonly host?: string | undefined
  readonly cookie?: string | undefined
}

const loopbackNames: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]'])

export function originFault(headers: OriginHeaders, terms: OriginTerms): string | undefined {
  const { rule } = terms
  if (rule === '*') return undefined
  const { origin, host, cookie } = headers
  // Without an Origin it is no page; with cookies it may be one whose Origin was taken away.
  if (origin === undefined)
    return cookie === undefined ? undefined : 'cookies without an origin are not accepted'
  const allowed =
    typeof rule === 'function'
      ? rule(origin)
      : rule === 'same-host'
        ? isOwn(origin, host ?? '', terms)
        : isListed(origin, rule) || (terms.secure && isOwn(origin, host ?? '', terms))
  return allowed ? undefined : 'this origin is not allowed'
}

function isListed(origin: string, list: readonly string[]): boolean {
  return list.some((entry) => entry.toLowerCase() === origin.toLowerCase())
}

/**
 * Scheme, host and port, serialized as browsers do (RFC 6454, section 6.1). Behind a proxy that ends
 * TLS the scheme is not known, and not compared.
 */
function isOwn(origin: string, host: string, { secure, loopback }: OriginTerms): boolean {
  const page = parsed(origin)
  if (page === undefined || page.origin !== origin.toLowerCase()) return false
  if (page.protocol !== 'https:' && (secure || page.protocol !== 'http:')) return false
  const own = parsed(`${page.protocol}//${host}`)
  if (own === undefined || own.host !== page.host) return false
  return !loopback || loopbackNames.has(own.hostname)
}

function parsed(url: string): URL | undefined {
  try {
    return new URL(url)
  } catch {
    return undefined
  }
}

/** Whether an address of this machine is reached from this machine alone. */
export function isLoopback(address: string | undefined): boolean {
  if (address === undefined) return false
  return address === '::1' || address.startsWith('127.') || address.startsWith('::ffff:127.')
}
