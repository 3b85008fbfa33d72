/**
 * `node src/server.ts check [LINK]`: tells the operator in plain words what is wrong, and how to fix it. It
 * only reads. At a link's public address it also tries Immich's own API with the link's key, as an attacker
 * would.
 */
import { Gate, type Policy, type Share } from '../gate/gate.ts'
import { createKeys } from '../keys.ts'
import { createLinkHashes, createLog, type Log } from '../log.ts'
import type { Refusal } from '../refusal.ts'
import { parsePastedLink } from '../pasted-address.ts'
import { KEY_BYTES, type LinkAddress } from '../validate.ts'
import { policyOf } from './policy.ts'
import { inspectPublicAddress } from './public-address.ts'
import { ConfigError, loadSettings, type Settings } from './settings.ts'

type Say = (kind: 'ok' | 'note' | 'WRONG', finding: string, fix?: string) => void

/** Immich's version; undefined if there was no response, and the log has said why. */
const versionOf = (gate: Gate): Promise<string | undefined> =>
  gate.version().then(version => version.join('.'), () => undefined)

const COPY_IT = 'copy it from Immich as it is'
const CANNOT_TRY = 'the link cannot be tested, because Immich is unavailable'

/** Reports the limits of an open link, and how to lift them. `share` has the owner's permissions alone. */
function reportLimits (share: Share, settings: Settings, say: Say): void {
  const owner = share.can.download
  const { maxDownloadQuality: quality, allowDownloadAll, maxZoomQuality } = settings
  const inImmich = (name: string) => `in Immich, edit the link and switch on "${name}"`
  const { expiresAt, days, isAlbum } = share
  const isShown = policyOf(settings).facts.length > 0
  if (expiresAt !== undefined) say('ok', `it expires ${new Date(expiresAt).toISOString()}`)
  const findings: [boolean, string, string][] = [
    [!owner, 'the owner allows no downloads', inImmich('Allow public user to download')],
    [owner && !settings.allowDownload, 'single photos cannot be downloaded', 'set ipp.allowDownload to true'],
    [owner && allowDownloadAll === 0, 'it cannot be downloaded as a zip', 'set ipp.allowDownloadAll to 1'],
    [owner && quality !== 'original', `downloads are in ${quality} quality`,
      'set ipp.maxDownloadQuality to "original"'],
    [maxZoomQuality === 'fullsize' && !owner, 'zooming in shows no more than the preview',
      inImmich('Allow public user to download')],
    [!days, 'the owner shows no metadata, so no dates either', inImmich('Show metadata')],
    [!days && !isAlbum,
      'photos that were locked or hidden later are still shared, because Immich does not say so',
      'remove photos from the link that should no longer be shared'],
    [days !== undefined && !isShown, 'there is no details panel', 'choose its fields in ipp.showMetadata']
  ]
  for (const [applies, finding, fix] of findings) if (applies) say('note', finding, fix)
}

/** The policy with everything allowed, so that only the owner's settings limit a share. */
const allowEverything = (policy: Policy): Policy =>
  ({ ...policy, slugs: true, download: true, zip: true, quality: 'original', zoom: true, dates: 'month' })

/** Reports the contents and limits of a link, or why it does not open. */
async function inspect (link: LinkAddress, gate: Gate, settings: Settings, say: Say): Promise<void> {
  if ('slug' in link && !settings.allowSlugLinks) {
    say('WRONG', 'addresses with /s/ are switched off', 'set ipp.allowSlugLinks to true')
  }
  try {
    const operator = { address: '', isForgeable: false, isEmbedded: false, cookies: new Map() }
    const share = await gate.open(link, operator)
    const videos = share.items.filter(({ isVideo }) => isVideo).length
    const kind = share.isAlbum ? 'an album' : 'a selection'
    say('ok', `it is ${kind} of ${share.items.length - videos} photos and ${videos} videos`)
    if (!share.items.length) say('note', 'visitors see nothing in it', 'is it all in the trash, or locked?')
    reportLimits(share, settings, say)
  } catch (error) {
    const { reason, message } = error as Refusal
    if (reason === 'locked') return say('ok', 'it has a password, which visitors are asked for')
    if (reason === 'failed') {
      return say('WRONG', `Immich failed to open it: ${message}`, 'look at the log of Immich')
    }
    // the gate logged the reason, which is another finding of this report
    if (reason !== 'missing') return say('WRONG', CANNOT_TRY)
    // Immich gives both the same response (recordings 07-expired), but each of its keys has 50 bytes
    const isCut = 'key' in link && Buffer.from(link.key, 'base64url').length !== KEY_BYTES
    if (isCut) say('WRONG', "part of its key is missing, or the key is not one of Immich's", COPY_IT)
    else say('WRONG', 'Immich has no such link, or it has expired', 'look under Sharing in Immich')
  }
}

/** Reports the settings that differ from the defaults, and where each comes from. */
function listSettings (settings: Settings, env: NodeJS.ProcessEnv, say: Say): void {
  const { values, changed, source, notices } = settings
  for (const [name, value] of Object.entries(values)) {
    if (!env[name] && !Object.hasOwn(changed, name)) continue
    const shown = name === 'IPP_SECRET' ? 'not shown' : JSON.stringify(value)
    say('ok', `${name} = ${shown} (${env[name] ? 'environment' : source})`)
  }
  for (const notice of notices) say('note', notice)
  if (env.IPP_SECRET) return
  say('note', 'after a restart, visitors must enter passwords again',
    'set IPP_SECRET to 16 characters or more')
}

/** Reports the name of a link in the log. */
function reportName (link: LinkAddress, { secret }: Settings, say: Say): void {
  if (secret) say('ok', `the log calls it ${createLinkHashes(createKeys(secret))(link)}`)
  else say('note', 'its name in the log changes with each start', 'set IPP_SECRET to keep it')
}

/** Reports on a link, and on its public address if one was given. */
async function inspectAddress (address: string, gate: Gate, settings: Settings, say: Say): Promise<void> {
  const { link, origin } = parsePastedLink(address) ?? {}
  if (!link) return say('WRONG', `${address} is not the address of a link`, COPY_IT)
  await inspect(link, gate, settings, say)
  reportName(link, settings, say)
  if (origin === undefined) return
  if (origin === new URL(settings.immichUrl).origin) {
    return say('note', 'this is the address of Immich, not one for visitors',
      "in Immich's settings, set the external domain to the public address of this program")
  }
  for (const finding of await inspectPublicAddress(origin, link)) say(...finding)
}

/** All findings as lines, those on the link first, and the exit status: 1 if anything is wrong. */
export async function check (
  env: NodeJS.ProcessEnv, root: URL, address?: string
): Promise<{ report: string, status: 0 | 1 }> {
  const findings = { link: [] as string[], immich: [] as string[], settings: [] as string[] }
  let status: 0 | 1 = 0
  const sayOf = (group: keyof typeof findings): Say => (kind, finding, fix) => {
    if (kind === 'WRONG') status = 1
    findings[group].push(`${kind.padEnd(6)}${finding}${fix ? `\n      → ${fix}` : ''}\n`)
  }
  try {
    const settings = loadSettings(env, root)
    listSettings(settings, env, sayOf('settings'))
    const say = sayOf('immich')
    const error: Log['error'] = (event, { url, failed, advice } = {}) =>
      say('WRONG', `${event} at ${url}: ${failed}`, `${advice}`)
    const warn: Log['warn'] = (event, fields = {}) => say('note', event, `${fields.advice ?? ''}`)
    const keys = createKeys('')
    const log = { ...createLog('error', keys), error, warn }
    const { immichUrl, limits } = settings
    const gate = new Gate({ immichUrl, policy: allowEverything(policyOf(settings)), limits, keys, log })
    const version = await versionOf(gate)
    if (version) say('ok', `connected to ${immichUrl}, which is Immich ${version}`)
    if (address && version) await inspectAddress(address, gate, settings, sayOf('link'))
    else if (address) sayOf('link')('WRONG', CANNOT_TRY)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    for (const problem of error.message.split('\n')) sayOf('settings')('WRONG', problem)
  }
  return { report: Object.values(findings).flat().join(''), status }
}
