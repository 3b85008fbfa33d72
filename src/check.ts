/**
 * `node src/server.ts check [share link]`: tells the operator in plain words what is wrong, with what to do
 * about it beside each finding. It asks Immich nothing that a visitor's request would not.
 */
import { lookup } from 'node:dns/promises'
import { once } from 'node:events'
import { connect, isIP } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { adviceFor, createImmich, Refusal, type Immich, type Link } from './immich.ts'
import { ConfigError, loadSettings, type Settings } from './settings.ts'
import { parseRoute } from './validate.ts'

type Say = (kind: 'ok' | 'note' | 'WRONG', finding: string, fix?: string) => void
const SECONDS = 5000

/** Whether a connection to Immich comes about, step by step: name, address, certificate. */
async function reach ({ immichUrl }: Settings, say: Say): Promise<void> {
  const { protocol, hostname, port } = new URL(immichUrl)
  const host = hostname.replace(/^\[|\]$/g, '')
  const [secure, found] = [protocol === 'https:', isIP(host) ? [host] : []]
  for (const [family, record] of isIP(host) ? [] : [[4, 'A'], [6, 'AAAA']] as const) {
    const addresses = await lookup(host, { family, all: true }).catch(() => [])
    const names = addresses.map(({ address }) => address)
    found.push(...names)
    say('ok', `${host} ${record}: ${names.join(', ') || 'none'}`)
  }
  if (!found.length) say('WRONG', `the name ${host} is not known here`, adviceFor('ENOTFOUND'))
  for (const address of found) {
    const target = { host: address, port: Number(port) || (secure ? 443 : 80) }
    const servername = isIP(host) ? '' : host
    const socket = secure ? connectTls({ ...target, servername }) : connect(target)
    try {
      await once(socket, secure ? 'secureConnect' : 'connect', { signal: AbortSignal.timeout(SECONDS) })
      const until = secure && (socket as TLSSocket).getPeerCertificate().valid_to
      say('ok', `connected to ${address} port ${target.port}${until ? `, certified until ${until}` : ''}`)
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      const failed = message.split('\n')[0]
      say('WRONG', `no connection to ${address} port ${target.port}: ${failed}`, adviceFor(`${code}`))
    } finally { socket.destroy() }
  }
}

/** What limits an open link, by whom, and how to change it. */
function tell (link: Link, settings: Settings, say: Say): void {
  const { allowDownload: owner, showMetadata, expiresAt } = link
  const { downloadOriginalPhoto: originals, allowDownloadAll, maxZoomQuality } = settings
  const inImmich = (name: string) => `in Immich, edit the link and switch on "${name}"`
  const shown = JSON.stringify(settings.showMetadata).includes('true')
  if (expiresAt !== undefined) say('ok', `it ends ${new Date(expiresAt).toISOString()}`)
  const findings: [boolean, string, string][] = [
    [!owner, 'the owner allows no downloads', inImmich('Allow public user to download')],
    [owner && allowDownloadAll === 0, 'no zip of it', 'set ipp.allowDownloadAll to 1'],
    [owner && !originals, 'downloads are previews', 'set ipp.downloadOriginalPhoto to true'],
    [maxZoomQuality === 'fullsize' && !(owner && originals), 'zooming in shows no more than the preview',
      'full resolution needs the download of originals as well'],
    [!showMetadata, 'the owner shows no metadata, so no dates either', inImmich('Show metadata')],
    [showMetadata && !shown, 'no info panel', 'set in ipp.showMetadata what it may tell']
  ]
  for (const [applies, finding, fix] of findings) if (applies) say('note', finding, fix)
}

async function inspect (address: string, settings: Settings, immich: Immich, say: Say): Promise<void> {
  const route = parseRoute(URL.parse(address)?.pathname ?? address)
  if (!route || !('link' in route)) {
    return say('WRONG', `${address} is no address of a link`, 'copy it from Immich as it is')
  }
  if ('slug' in route.link && !settings.allowSlugLinks) {
    say('WRONG', 'addresses with /s/ are switched off', 'set ipp.allowSlugLinks to true')
  }
  try {
    const link = await immich.open(route.link)
    const { items } = await immich.list(link)
    const videos = items.filter(({ video }) => video).length
    const kind = link.album ? 'an album' : 'a selection'
    say('ok', `it is ${kind} of ${items.length - videos} photos and ${videos} videos`)
    if (!items.length) say('note', 'nothing of it can be seen', 'is all of it in the trash, or locked?')
    tell(link, settings, say)
  } catch (error) {
    const { reason, message } = error as Refusal
    if (reason === 'locked') return say('ok', 'it has a password, which visitors are asked for')
    if (reason !== 'missing') return say('WRONG', `Immich failed: ${message}`, 'look at the log of Immich')
    say('WRONG', 'Immich knows no such link, or it has expired', 'look under Sharing in Immich')
  }
}

/** Resolves to the exit status: 1 where anything is wrong. */
export async function check (env: NodeJS.ProcessEnv, root: URL, address?: string): Promise<number> {
  let status = 0
  const say: Say = (kind, finding, fix) => {
    if (kind === 'WRONG') status = 1
    process.stdout.write(`${kind.padEnd(6)}${finding}${fix ? `\n      → ${fix}` : ''}\n`)
  }
  try {
    const settings = loadSettings(env, root)
    const { values, changed, source } = settings
    for (const [name, value] of Object.entries(values)) {
      const from = env[name] ? 'environment' : Object.hasOwn(changed, name) ? source : 'default'
      const shown = name === 'IPP_SECRET' && value ? 'not shown' : JSON.stringify(value)
      if (shown !== undefined) say('ok', `${name} = ${shown} (${from})`)
    }
    for (const notice of settings.notices) say('note', notice)
    if (!env.IPP_SECRET) say('note', 'a restart ends all unlocks', 'set IPP_SECRET to 16 characters or more')
    await reach(settings, say)
    const silent = () => {}
    const immich = createImmich(settings, { error: silent, warn: silent, info: silent, debug: silent })
    const version = await immich.version().catch(() => undefined)
    if (version && await immich.ping()) say('ok', `what answers is Immich ${version.join('.')}`)
    else say('WRONG', 'no Immich answers there', adviceFor('NotImmich'))
    if (address && version) await inspect(address, settings, immich, say)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    for (const problem of error.message.split('\n')) say('WRONG', problem)
  }
  return status
}
