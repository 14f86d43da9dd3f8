// The name by which both sides of a WebSocket know that they speak Callbox (docs/protocol.md, 2).

/** The subprotocol that both sides must agree on. */
export const subprotocol = 'callbox.v1'
