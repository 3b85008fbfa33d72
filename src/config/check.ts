/**
 * `node src/server.ts check [LINK]`: tells the operator in plain words what is wrong, and what to do about it.
 * It asks Immich nothing that a visitor's request would not.
 */
import { Gate, type Policy, type Share } from '../gate/gate.ts'
import { createKeys } from '../keys.ts'
import { createLog, type Log } from '../log.ts'
import type { Refusal } from '../refusal.ts'
import { parsePastedLink } from '../pasted-address.ts'
import { KEY_BYTES } from '../validate.ts'
import { policyOf } from './policy.ts'
import { ConfigError, loadSettings, type Settings } from './settings.ts'

type Say = (kind: 'ok' | 'note' | 'WRONG', finding: string, fix?: string) => void

/** The version of the Immich that answers; undefined if none does. */
async function reach ({ immichUrl }: Settings, gate: Gate, say: Say): Promise<string | undefined> {
  // the log says what fails on the way: name, connection, certificate
  return gate.version().then(version => version.join('.'), ({ message }: Error) => {
    const fix = 'IMMICH_URL must lead to Immich itself, such as http://immich-server:2283'
    say('WRONG', `${immichUrl}: ${message || 'no version of Immich came'}`, fix)
    return undefined
  })
}

/** Tells who limits an open link, how, and how to change it. `share` has the owner's yeses alone. */
function tellLimits (share: Share, settings: Settings, say: Say): void {
  const owner = share.can.download
  const { maxDownloadQuality: quality, allowDownloadAll, maxZoomQuality } = settings
  const inImmich = (name: string) => `in Immich, edit the link and switch on "${name}"`
  const { expiresAt, days } = share
  const isShown = policyOf(settings).facts.length > 0
  if (expiresAt !== undefined) say('ok', `it expires ${new Date(expiresAt).toISOString()}`)
  const findings: [boolean, string, string][] = [
    [!owner, 'the owner allows no downloads', inImmich('Allow public user to download')],
    [owner && !settings.allowDownload, 'single photos cannot be downloaded', 'set ipp.allowDownload to true'],
    [owner && allowDownloadAll === 0, 'there is no zip of it', 'set ipp.allowDownloadAll to 1'],
    [owner && quality !== 'original', `downloads are in ${quality} quality`, 'set ipp.maxDownloadQuality to "original"'],
    [maxZoomQuality === 'fullsize' && !owner, 'zooming in shows no more than the preview',
      inImmich('Allow public user to download')],
    [!days, 'the owner shows no metadata, so no dates either', inImmich('Show metadata')],
    [days !== undefined && !isShown, 'there is no details panel', 'set in ipp.showMetadata what to show']
  ]
  for (const [applies, finding, fix] of findings) if (applies) say('note', finding, fix)
}

/** Everything that the operator could allow, so that what is missing in a share is the owner's no. */
const generous = (policy: Policy): Policy =>
  ({ ...policy, slugs: true, download: true, zip: true, quality: 'original', zoom: true, dates: 'month' })

async function inspect (address: string, gate: Gate, settings: Settings, say: Say): Promise<void> {
  const link = parsePastedLink(address)
  if (!link) return say('WRONG', `${address} is not the address of a link`, 'copy it from Immich as it is')
  if ('slug' in link && !settings.allowSlugLinks) {
    say('WRONG', 'addresses with /s/ are switched off', 'set ipp.allowSlugLinks to true')
  }
  try {
    const share = await gate.open(link, { address: '', isForgeable: false, cookies: new Map() })
    const videos = share.items.filter(({ isVideo }) => isVideo).length
    const kind = share.isAlbum ? 'an album' : 'a selection'
    say('ok', `it is ${kind} of ${share.items.length - videos} photos and ${videos} videos`)
    if (!share.items.length) say('note', 'nothing of it can be seen', 'is all of it in the trash, or locked?')
    tellLimits(share, settings, say)
  } catch (error) {
    const { reason, message } = error as Refusal
    if (reason === 'locked') return say('ok', 'it has a password, which visitors are asked for')
    if (reason !== 'missing') return say('WRONG', `Immich failed: ${message}`, 'look at the log of Immich')
    // Immich answers both alike (recordings 07-expired), but each of its keys has 50 bytes
    const isCut = 'key' in link && Buffer.from(link.key, 'base64url').length !== KEY_BYTES
    if (isCut) say('WRONG', 'its key is cut off, or not one of Immich', 'copy it from Immich as it is')
    else say('WRONG', 'Immich knows no such link, or it has expired', 'look under Sharing in Immich')
  }
}

/** The settings that are not the defaults, and where each comes from. */
function listSettings ({ values, changed, source, notices }: Settings, env: NodeJS.ProcessEnv, say: Say): void {
  for (const [name, value] of Object.entries(values)) {
    if (!env[name] && !Object.hasOwn(changed, name)) continue
    const shown = name === 'IPP_SECRET' ? 'not shown' : JSON.stringify(value)
    say('ok', `${name} = ${shown} (${env[name] ? 'environment' : source})`)
  }
  for (const notice of notices) say('note', notice)
  if (!env.IPP_SECRET) say('note', 'a restart ends all unlocks', 'set IPP_SECRET to 16 characters or more')
}

/** Resolves to the exit status: 1 if anything is wrong. The verdict on a link comes first. */
export async function check (env: NodeJS.ProcessEnv, root: URL, address?: string): Promise<number> {
  const findings = { link: [] as string[], immich: [] as string[], settings: [] as string[] }
  let status = 0
  const sayOf = (group: keyof typeof findings): Say => (kind, finding, fix) => {
    if (kind === 'WRONG') status = 1
    findings[group].push(`${kind.padEnd(6)}${finding}${fix ? `\n      → ${fix}` : ''}\n`)
  }
  try {
    const settings = loadSettings(env, root)
    listSettings(settings, env, sayOf('settings'))
    const say = sayOf('immich')
    const error: Log['error'] = (event, { failed, advice } = {}) =>
      say('WRONG', `${event}: ${failed}`.trim(), `${advice}`)
    const warn: Log['warn'] = (event, fields = {}) => say('note', event, `${fields.advice ?? ''}`)
    const keys = createKeys('')
    const log = { ...createLog('error', keys), error, warn }
    const { immichUrl, limits } = settings
    const gate = new Gate({ immichUrl, policy: generous(policyOf(settings)), limits, keys, log })
    const version = await reach(settings, gate, say)
    if (version) say('ok', `connected to ${settings.immichUrl}, which is Immich ${version}`)
    if (address && version) await inspect(address, gate, settings, sayOf('link'))
    else if (address) sayOf('link')('WRONG', 'the link cannot be tried, because Immich does not answer')
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    for (const problem of error.message.split('\n')) sayOf('settings')('WRONG', problem)
  }
  process.stdout.write(Object.values(findings).flat().join(''))
  return status
}
