// The URL of an endpoint, checked: whose it is, and that nothing secret stands in it.
//   in  -> a URL
//   out -> the same URL, or why it is refused

/** Parameters by which others pass credentials: URLs end in logs, histories and Referer headers. */
const secretParameters = ['token', 'auth', 'jwt', 'access_token']

/**
 * Throws TypeError for a URL that is no WebSocket's, or that has a credential in it.
 * `allowUrlCredential`: parameters named like one are somebody else's affair.
 */
export function checkEndpoint(url: URL, allowUrlCredential = false): URL {
  if (url.protocol !== 'ws:' && url.protocol !== 'wss:')
    throw new TypeError('ws: the URL must begin with ws:// or wss://')
  if (url.username !== '' || url.password !== '')
    throw new TypeError('ws: no credentials in the URL, pass `credential` to createClient')
  const secret = secretParameters.find((name) => url.searchParams.has(name))
  if (secret !== undefined && !allowUrlCredential)
    throw new TypeError(
      `ws: the parameter '${secret}' of the URL looks like a credential: pass \`credential\` to createClient, or allowUrlCredential`,
    )
  return url
}
