#!/usr/bin/env node
// The fault proxy as a program; what it does is in src/fault-proxy-command.ts.
import { faultProxyCommand } from '@callbox/testing/node'

process.exitCode = await faultProxyCommand(process.argv.slice(2), {
  out: (line) => console.log(line),
  err: (line) => console.error(line),
  until: new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, resolve)
  }),
})
