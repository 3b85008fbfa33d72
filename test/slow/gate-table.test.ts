/** The table of `gate/gate.test.ts` in full: every operator, owner, kind of link, address and method. */
process.env.WHOLE_TABLE = '1'
await import('../gate/gate.test.ts')
