/** The visitor's IP address, read through the proxies that the operator trusts. */
import { isIP, type BlockList } from 'node:net'

/** `proxiesAreListed`: the operator has listed the trusted proxies, so they are not the default. */
export type Trust = { trustedProxies: BlockList, proxiesAreListed: boolean, publicBaseUrl: string }

export const LOOPBACK = /^(127\.|::1$)/
/** An address without its zone; an IPv4 address mapped into IPv6 becomes a plain IPv4 address. */
export const plainAddress = (address: string): string =>
  address.replace(/^::ffff:(?=[\d.]+$)/i, '').replace(/%.*/s, '')

/** Whether this is a trusted proxy; false for anything that is not an IP address. */
export const isTrustedProxy = ({ trustedProxies }: Trust, address: string): boolean =>
  isIP(address) !== 0 && trustedProxies.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')

/** The /64 network of an IPv6 address. */
function networkOf (address: string): string {
  const [left = [], right = []] = address.split('::').map(half => half ? half.split(':') : [])
  const zeros = Array<string>(Math.max(0, 8 - left.length - right.length)).fill('0')
  const groups = [...left, ...zeros, ...right].slice(0, 4).map(group => parseInt(group, 16).toString(16))
  return `${groups.join(':')}::/64`
}
/** The address by which a visitor counts: the /64 of an IPv6 address, which is what one customer has. */
const asVisitor = (address: string): string => isIP(address) === 6 ? networkOf(address) : address

/** The /48 around a visitor's IPv6 /64, which one customer may have as a whole; else the address itself. */
export const wideNetwork = (address: string): string =>
  address.endsWith('::/64') ? `${address.split(':').slice(0, 3).join(':')}::/48` : address

/** The other end of a connection. */
export type Peer = { address: string, isProxy: boolean }

/** The address at the other end of a connection, and whether it is a trusted proxy. */
export function parsePeer (peer: string | undefined, trust: Trust): Peer {
  const address = plainAddress(peer ?? '')
  return { address: asVisitor(address), isProxy: isTrustedProxy(trust, address) }
}

/**
 * The peer's address, or the one that trusted proxies name in X-Forwarded-For, read from its end.
 * `isForgeable`: a proxy that the operator has not listed passed it on, so the visitor may have chosen it.
 */
export function visitorAddress (
  forwardedFor: string, peer: string, trust: Trust
): { address: string, isForgeable: boolean } {
  let address = plainAddress(peer)
  let isForgeable = false
  for (const written of forwardedFor.slice(-1000).split(',').reverse()) {
    if (!isTrustedProxy(trust, address)) break
    const bare = written.trim().replace(/^\[([^\]]*)\](:\d+)?$/, '$1').replace(/^([\d.]+):\d+$/, '$1')
    const hop = plainAddress(bare)
    if (!isIP(hop)) break
    // a private address may be Docker's own gateway, which passes on what anybody wrote
    if (!trust.proxiesAreListed && !LOOPBACK.test(address)) isForgeable = true
    address = hop
  }
  return { address: asVisitor(address), isForgeable }
}
