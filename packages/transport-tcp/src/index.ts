// Callbox over TCP, TLS and unix sockets.
export { tcp, tls, unix, type TcpOptions, type TlsOptions, type UnixOptions } from './address.ts'
