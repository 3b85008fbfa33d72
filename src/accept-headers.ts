/** The names in a weighted header such as Accept-Language (RFC 9110 section 12.4.2), best first. */
export const preferred = (header: string): string[] => header.slice(0, 500).toLowerCase().split(',')
  .map(part => [part.replace(/;.*/s, '').trim(), Number(/;\s*q=([\d.]+)/.exec(part)?.[1] ?? 1)] as const)
  .filter(([name, weight]) => name && weight > 0).sort((a, b) => b[1] - a[1]).map(([name]) => name)
