/**
 * `node src/server.ts check [share link]`: tells the operator in plain words what is wrong, with what to do
 * about it beside each finding. It asks Immich nothing that a visitor's request would not.
 */
import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { Immich } from './immich.ts'
import { createKeys } from './unlock.ts'
import { Links, type Link } from './links.ts'
import { createLog, type Log } from './log.ts'
import type { Refusal } from './refusal.ts'
import { ConfigError, loadSettings, type Settings } from './settings.ts'
import { KEY_BYTES, parseLinkAddress } from './validate.ts'

type Say = (kind: 'ok' | 'note' | 'WRONG', finding: string, fix?: string) => void

/** The version of the Immich that answers, by the door that all requests take; undefined where none does. */
async function reach ({ immichUrl }: Settings, immich: Immich, say: Say): Promise<string | undefined> {
  const { hostname } = new URL(immichUrl)
  const named = !isIP(hostname.replace(/[[\]]/g, ''))
  for (const [family, record] of named ? [[4, 'A'], [6, 'AAAA']] as const : []) {
    const addresses = await lookup(hostname, { family, all: true }).catch(() => [])
    say('ok', `${hostname} ${record}: ${addresses.map(({ address }) => address).join(', ') || 'none'}`)
  }
  // what fails on the way there (name, connection, certificate, something else) is said by the log
  return immich.version().then(version => version.join('.'), ({ message }: Error) => {
    const seen = message || 'no version of Immich came'
    const fix = 'IMMICH_URL has to lead to Immich itself, such as http://immich-server:2283'
    say('WRONG', `${immichUrl}: ${seen}`, fix)
    return undefined
  })
}

/** What limits an open link, by whom, and how to change it. */
function tell (link: Link, settings: Settings, say: Say): void {
  const { allowDownload: owner, showMetadata, expiresAt } = link
  const { downloadOriginalPhoto: originals, allowDownloadAll, maxZoomQuality } = settings
  const inImmich = (name: string) => `in Immich, edit the link and switch on "${name}"`
  const { webLink: _, ...location } = settings.showMetadata.location
  const shown = JSON.stringify({ ...settings.showMetadata, location }).includes('true')
  if (expiresAt !== undefined) say('ok', `it ends ${new Date(expiresAt).toISOString()}`)
  const findings: [boolean, string, string][] = [
    [!owner, 'the owner allows no downloads', inImmich('Allow public user to download')],
    [owner && !settings.allowDownload, 'no single photo may be taken home', 'set ipp.allowDownload to true'],
    [owner && allowDownloadAll === 0, 'no zip of it', 'set ipp.allowDownloadAll to 1'],
    [owner && !originals, 'downloads are previews', 'set ipp.downloadOriginalPhoto to true'],
    [maxZoomQuality === 'fullsize' && !(owner && originals), 'zooming in shows no more than the preview',
      'full resolution needs the download of originals as well'],
    [!showMetadata, 'the owner shows no metadata, so no dates either', inImmich('Show metadata')],
    [showMetadata && !shown, 'no info panel', 'set in ipp.showMetadata what it may tell']
  ]
  for (const [applies, finding, fix] of findings) if (applies) say('note', finding, fix)
}

async function inspect (address: string, links: Links, settings: Settings, say: Say): Promise<void> {
  const ref = parseLinkAddress(address)
  if (!ref) return say('WRONG', `${address} is no address of a link`, 'copy it from Immich as it is')
  if ('slug' in ref && !settings.allowSlugLinks) {
    say('WRONG', 'addresses with /s/ are switched off', 'set ipp.allowSlugLinks to true')
  }
  try {
    const link = await links.open(ref, '')
    const { items } = await links.list(link, '')
    const videos = items.filter(({ video }) => video).length
    const kind = link.album ? 'an album' : 'a selection'
    say('ok', `it is ${kind} of ${items.length - videos} photos and ${videos} videos`)
    if (!items.length) say('note', 'nothing of it can be seen', 'is all of it in the trash, or locked?')
    tell(link, settings, say)
  } catch (error) {
    const { reason, message } = error as Refusal
    if (reason === 'locked') return say('ok', 'it has a password, which visitors are asked for')
    if (reason !== 'missing') return say('WRONG', `Immich failed: ${message}`, 'look at the log of Immich')
    // Immich says the same of both (recordings 07-expired); but each of its keys has 50 bytes
    const isCut = 'key' in ref && Buffer.from(ref.key, 'base64url').length !== KEY_BYTES
    if (isCut) say('WRONG', 'its key is not whole, or not one of Immich', 'copy it from Immich as it is')
    else say('WRONG', 'Immich knows no such link, or it has expired', 'look under Sharing in Immich')
  }
}

/** The settings that are not the defaults, or all, and where each comes from. */
function list (settings: Settings, env: NodeJS.ProcessEnv, isVerbose: boolean, say: Say): void {
  const { values, changed, source } = settings
  for (const [name, value] of Object.entries(values)) {
    const isChanged = Object.hasOwn(changed, name)
    const file = isChanged ? source : 'default'
    const from = env[name] ? 'environment' : file
    const shown = name === 'IPP_SECRET' && value ? 'not shown' : JSON.stringify(value)
    const isAsked = env[name] || isChanged || isVerbose
    if (shown !== undefined && isAsked) say('ok', `${name} = ${shown} (${from})`)
  }
  for (const notice of settings.notices) say('note', notice)
  if (!env.IPP_SECRET) say('note', 'a restart ends all unlocks', 'set IPP_SECRET to 16 characters or more')
}

type Wanted = { address?: string | undefined, isVerbose: boolean }
/** Resolves to the exit status: 1 where anything is wrong. Of a link the verdict comes first. */
export async function check (env: NodeJS.ProcessEnv, root: URL, wanted: Wanted): Promise<number> {
  const { address, isVerbose } = wanted
  const findings = { link: [] as string[], immich: [] as string[], settings: [] as string[] }
  let status = 0
  const sayOf = (group: keyof typeof findings): Say => (kind, finding, fix) => {
    if (kind === 'WRONG') status = 1
    findings[group].push(`${kind.padEnd(6)}${finding}${fix ? `\n      → ${fix}` : ''}\n`)
  }
  try {
    const settings = loadSettings(env, root)
    list(settings, env, isVerbose, sayOf('settings'))
    const say = sayOf('immich')
    const error: Log['error'] = (event, { failed, advice } = {}) =>
      say('WRONG', `${event}: ${failed}`.trim(), `${advice}`)
    const warn: Log['warn'] = (event, fields = {}) => say('note', event, `${fields.advice ?? ''}`)
    const log = { ...createLog({ logLevel: 'error' }, createKeys('')), error, warn }
    const immich = new Immich(settings, log)
    const version = await reach(settings, immich, say)
    if (version) say('ok', `connected to ${settings.immichUrl}, which is Immich ${version}`)
    const links = new Links(immich, settings, log)
    if (address && version) await inspect(address, links, settings, sayOf('link'))
    else if (address) sayOf('link')('WRONG', 'the link cannot be tried, for Immich does not answer')
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    for (const problem of error.message.split('\n')) sayOf('settings')('WRONG', problem)
  }
  process.stdout.write(Object.values(findings).flat().join(''))
  return status
}
