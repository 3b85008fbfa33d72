import type { Caller } from '../immich.ts'
import type { Item } from './share.ts'
export type ZipFile = Readonly<{ item: Item, name: string, time?: number, size?: number, as: 'zip' }>
export async function collectZipFiles (_room: unknown, items: readonly Item[], _isWhole: boolean, _caller: Caller): Promise<ZipFile[]> {
  return items.map(item => ({ item, name: '', as: 'zip' }))
}
