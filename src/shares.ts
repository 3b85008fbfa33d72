/** How much of something limited one visitor may hold, so that most of it is left to the others. */
import { wideNetwork } from './visitor-address.ts'

/** the /64s of one /48, which one customer may have, together hold this multiple of one visitor's share */
const NETWORK_FACTOR = 2

/** The share of a limit that one visitor may use. */
export const quarter = (limit: number): number => Math.ceil(limit / 4)

function change (sums: Map<string, number>, name: string, by: number): void {
  const sum = (sums.get(name) ?? 0) + by
  if (sum > 0) sums.set(name, sum)
  else sums.delete(name)
}

/** Counts what each visitor holds, in any unit, against a limit of `share` each. */
export function createShares (share: number) {
  const visitors = new Map<string, number>()
  const networks = new Map<string, number>()
  const heldBy = (visitor: string): number => visitors.get(visitor) ?? 0
  return {
    heldBy,
    /** Whether a visitor may hold `amount` more; any amount while nobody in the same /48 holds anything. */
    mayHold (visitor: string, amount = 1): boolean {
      const held = networks.get(wideNetwork(visitor)) ?? 0
      const isWithin = heldBy(visitor) + amount <= share && held + amount <= share * NETWORK_FACTOR
      return isWithin || held === 0
    },
    /** Counts `amount` more, or less if it is negative. */
    add (visitor: string, amount: number): void {
      change(visitors, visitor, amount)
      change(networks, wideNetwork(visitor), amount)
    }
  }
}
export type Shares = ReturnType<typeof createShares>
