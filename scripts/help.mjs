// Answers --help for the script that imports this file, which is to be its first import.
//   in  -> the command line, and the comment at the head of that script
//   out -> that comment without its slashes, then exit code 0; nothing without --help

import { readFileSync } from 'node:fs'

const [, script, ...args] = process.argv

if (args.some((arg) => arg === '--help' || arg === '-h')) {
  const lines = readFileSync(script, 'utf8').split('\n')
  const end = lines.findIndex((line) => !line.startsWith('//'))
  for (const line of lines.slice(0, end)) console.log(line.replace(/^\/\/ ?/, ''))
  process.exit(0)
}
