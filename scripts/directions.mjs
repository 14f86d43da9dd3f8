// Checks who imports whom, by the rules of .dependency-cruiser.cjs.
//   in  -> packages/*/src, examples
//   out -> one line a violation, exit code 1 if there is one
// A cruise that sees no modules finds no violations either (it does so where TypeScript 7 is the
// only `typescript`), so the modules seen are counted against the files there are.

import './help.mjs'
import { createRequire } from 'node:module'
import { cruise } from 'dependency-cruiser'
import extractTSConfig from 'dependency-cruiser/config-utl/extract-ts-config'
import { filesUnder, root, workspacePackages } from './packages.mjs'

process.chdir(root)
const { forbidden, options } = createRequire(import.meta.url)('../.dependency-cruiser.cjs')
const sources = workspacePackages().map(({ folder }) => `${folder}/src`)
const examples = filesUnder('examples').length > 0 ? ['examples'] : []

const { output } = await cruise(
  [...sources, ...examples],
  { ...options, ruleSet: { forbidden }, validate: true },
  options.enhancedResolveOptions,
  { tsConfig: extractTSConfig(options.tsConfig.fileName) },
)

const problems = [
  ...output.summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} -> ${to}`),
  ...output.modules.flatMap(crossings),
  ...unseen(output.modules),
]
for (const problem of problems) console.error(`FAILED ${problem}`)
const imports = output.modules.reduce((sum, one) => sum + one.dependencies.length, 0)
console.log(`directions: ${output.modules.length} modules, ${imports} imports seen`)
process.exitCode = problems.length === 0 ? 0 : 1

/** A sibling is imported by its name: a path into its folder would pass as its own entry. */
function crossings({ source, dependencies }) {
  const home = packageOf(source)
  if (home === undefined) return []
  return (
    dependencies
      .filter(({ module }) => module.startsWith('.'))
      .filter(({ resolved }) => packageOf(resolved) !== home)
      // What tests share lies outside of the packages.
      .filter(({ resolved }) => !(source.endsWith('.test.ts') && resolved.startsWith('tests/')))
      .map(({ module }) => `import-by-name: ${source} -> ${module}`)
  )
}

function packageOf(path) {
  return /^packages\/[^/]+\//.exec(path)?.[0]
}

/** Files that the cruise did not see. */
function unseen(modules) {
  const seen = new Set(modules.map(({ source }) => source))
  const files = sources.flatMap((folder) => filesUnder(folder).map((name) => `${folder}/${name}`))
  const modulesAmong = files.filter((name) => name.endsWith('.ts'))
  if (modulesAmong.length === 0) return ['no source files found']
  return modulesAmong.filter((name) => !seen.has(name)).map((name) => `not seen: ${name}`)
}
