// Loads one module of the project with one string replaced. No file is changed.
//   in  -> CALLBOX_MUTANT: { file, from, to } in JSON; before tsx: node --import this --import tsx
//   out -> the changed source to whoever imports the module; a line on standard error

import { register } from 'node:module'

register(new URL('mutate-hooks.mjs', import.meta.url), { data: process.env.CALLBOX_MUTANT })
