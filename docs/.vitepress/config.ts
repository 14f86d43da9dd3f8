// The site of the documentation: what is on it, and in which order.
//   in  -> docs/**/*.md
//   out -> docs/.vitepress/dist

import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { defineConfig, type DefaultTheme } from 'vitepress'

const docs = fileURLToPath(new URL('..', import.meta.url))

/** Every page of a folder, by the title in its first heading. */
function pages(folder: string): DefaultTheme.SidebarItem[] {
  const path = join(docs, folder)
  if (!existsSync(path)) return []
  return readdirSync(path)
    .filter((name) => name.endsWith('.md') && name !== 'index.md')
    .toSorted()
    .map((name) => ({ text: titleOf(join(path, name)), link: `/${folder}/${name.slice(0, -3)}` }))
}

function titleOf(file: string): string {
  return /^# (.+)$/m.exec(readFileSync(file, 'utf8'))?.[1] ?? file
}

const top: DefaultTheme.SidebarItem[] = [
  { text: 'Guarantees', link: '/guarantees' },
  { text: 'Architecture', link: '/architecture' },
  { text: 'Protocol', link: '/protocol' },
  { text: 'Payload codecs', link: '/codec' },
].filter(({ link }) => existsSync(join(docs, `${link}.md`)))

export default defineConfig({
  title: 'Callbox',
  description: 'Typed RPC for TypeScript over TCP and WebSocket',
  cleanUrls: true,
  lastUpdated: false,
  // Pages link to files of the repository, which the site does not have.
  ignoreDeadLinks: [/^(\.\.\/)+/, /^\.\/\.\.\//],
  themeConfig: {
    search: { provider: 'local' },
    nav: [
      ...(existsSync(join(docs, 'guide')) ? [{ text: 'Guide', link: firstOf('guide') }] : []),
      ...top.map(({ text, link }) => ({ text: text ?? '', link: link ?? '/' })),
      ...(pages('adr').length > 0 ? [{ text: 'Decisions', link: firstOf('adr') }] : []),
    ],
    sidebar: [
      { text: 'Guide', items: pages('guide') },
      { text: 'How it works', items: top },
      { text: 'Decisions', items: pages('adr') },
    ].filter(({ items }) => items.length > 0),
    outline: [2, 3],
  },
})

function firstOf(folder: string): string {
  return pages(folder)[0]?.link ?? '/'
}
