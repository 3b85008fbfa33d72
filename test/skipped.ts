/** A reporter that only lists, at the very end, the skipped tests and why. */
type Event = { type: string, data: { name: string, skip?: string | boolean } }
export default async function * skipped (events: AsyncIterable<Event>): AsyncIterable<string> {
  const reasons = new Map<string, string[]>()
  for await (const { type, data } of events) {
    if (type !== 'test:pass' || data.skip === undefined || data.skip === false) continue
    const reason = String(data.skip)
    reasons.set(reason, [...reasons.get(reason) ?? [], data.name])
  }
  if (reasons.size === 0) return
  yield '\n*** SKIPPED here, and run by .ci/run:\n'
  for (const [reason, names] of reasons) yield `*** ${reason} (${names.join('; ')})\n`
}
