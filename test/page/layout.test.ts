/** The layout of the grid; server and script read the same shape from the same skeleton. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { layoutData, ratioRules, stepOf } from '../../src/page/layout-data.ts'
import type { Share } from '../../src/gate/gate.ts'
import { ROOT } from '../helpers.ts'

// a script of the page, which has its own tsconfig
const { layOut, readSkeleton } = await import(new URL('static/layout.js', ROOT).href)

type Section = { first: number, count: number }
const RATIOS = [1.5, 1.33, 0.75, 0.66, 1.78, 0.5625, 1, 2.2]
/** The same numbers between 0 and 1 every time. */
function createDice (): () => number {
  let seed = 7
  return () => {
    seed = seed * 16_807 % 2_147_483_647
    return seed / 2_147_483_647
  }
}

/** 200 days of one to 24 photos each. */
function sampleDays (): { ratio: Float32Array, runs: [number, number][] } {
  const dice = createDice()
  const runs = Array.from({ length: 200 }, (_, n): [number, number] =>
    [20_000 - n, 1 + Math.floor(dice() * dice() * 24)])
  const total = runs.reduce((sum, [, count]) => sum + count, 0)
  const ratio = Float32Array.from({ length: total }, () => RATIOS[Math.floor(dice() * RATIOS.length)] ?? 1)
  return { ratio, runs }
}

test('a photo has the same shape on the server and in the script', () => {
  const ratios = Array.from({ length: 400 }, (_, n) => 0.2 * 25 ** (n / 399))
  const items = ratios.map(ratio => ({ ratio, isVideo: ratio > 1 }))
  const rules = ratioRules().matchAll(/\.r(\d+)\{--r:([\d.]+)\}/g)
  const classes = new Map(Array.from(rules, ([, step, ratio]) => [step, ratio]))
  const read = readSkeleton(layoutData({ items } as unknown as Share).skeleton)
  for (const [n, { ratio, isVideo }] of items.entries()) {
    assert.equal(read.ratio[n].toFixed(3), Number(classes.get(String(stepOf(ratio)))).toFixed(3))
    assert.equal(read.video[n], Number(isVideo))
    assert.ok(Math.abs(read.ratio[n] / ratio - 1) < 0.02)
  }
})

/** 150 days of one or two photos each, with up to three days between them. */
function sampleDiary (): { ratio: Float32Array, runs: [number, number][] } {
  const dice = createDice()
  let day = 20_000
  const runs = Array.from({ length: 150 }, (): [number, number] => {
    day -= 1 + Math.floor(dice() * 4)
    return [day, 1 + Math.floor(dice() * 2)]
  })
  const total = runs.reduce((sum, [, count]) => sum + count, 0)
  const ratios = [1.5, 1.33, 0.75, 0.66, 1.78, 1]
  const ratio = Float32Array.from({ length: total }, () => ratios[Math.floor(dice() * ratios.length)] ?? 1)
  return { ratio, runs }
}

test('no landscape photo of a diary stands alone beside an empty half of a phone', () => {
  const { ratio, runs } = sampleDiary()
  for (const width of [320, 390]) {
    const measures = { width, gap: 2, target: 132, heading: 44, space: 12, isShared: true }
    const { rowFirst, rowHeight, height } = layOut(ratio, runs, measures)
    const alone = rowHeight.filter((high: number, row: number) => {
      const shape = ratio[rowFirst[row]] ?? 1
      return rowFirst[row + 1] - rowFirst[row] === 1 && shape > 1 && shape * high < width - 2
    })
    assert.equal(alone.length, 0, `${width} px`)
    assert.ok(height < 150 * 170, `${height} px long`)
  }
})

test('a photo alone on its day is as wide as its heading', () => {
  const { ratio, runs } = sampleDiary()
  for (const width of [320, 390, 430]) {
    const measures = { width, gap: 2, target: 132, heading: 44, space: 12, isShared: true }
    const { sections } = layOut(ratio, runs, measures) as { sections: (Section & { width: number })[] }
    assert.deepEqual(sections.filter(day => day.count === 1 && day.width < 123.9), [], `${width} px`)
  }
})

test('no photo is left alone in a row of its day', () => {
  const { ratio, runs } = sampleDays()
  for (const [width, target, gap] of [[390, 132, 2], [772, 240, 4], [1360, 240, 4]] as const) {
    const layout = layOut(ratio, runs, { width, gap, target, heading: 44, space: 12, isShared: true })
    const alone = layout.rowTop.filter((_: number, row: number) => {
      const first = layout.rowFirst[row]
      const isAlone = layout.rowFirst[row + 1] - first === 1
      const isWide = layout.ratio[first] * layout.rowHeight[row] > width - 2
      const isOnly = layout.sections.some((day: Section) => day.first === first && day.count === 1)
      return isAlone && !isWide && !isOnly
    })
    assert.equal(alone.length, 0, `${width} px`)
  }
})

test('a few photos fill a desk: more than three stand in no single row that is low', () => {
  const measures = { width: 1392, gap: 4, target: 400, heading: 0, space: 0, isShared: false }
  const mixed = [0.66, 0.75, 1.77, 1.03, 0.57, 1.58, 1.4, 0.79]
  for (const [ratios, firsts] of [
    [mixed.slice(0, 3), [0]], [mixed.slice(0, 5), [0, 3]], [mixed, [0, 4]],
    [[1.5, 1.5, 1.5], [0]], [[1.5, 1.5, 1.5, 1.5], [0, 2]], [[0.75, 0.75, 0.75, 0.75], [0]]
  ] as [number[], number[]][]) {
    const { rowFirst } = layOut(Float32Array.from(ratios), [[1, ratios.length]], measures)
    assert.deepEqual(rowFirst.slice(0, -1), firsts, ratios.join())
  }
})

test('every photo is large enough to tap, within the width, and does not overlap its neighbours', () => {
  const { ratio, runs } = sampleDays()
  ratio.fill(0.2, 0, 40)
  const measures = { width: 390, gap: 2, target: 132, heading: 44, space: 12, isShared: true }
  const layout = layOut(ratio, runs, measures)
  for (const [row, height] of layout.rowHeight.entries()) {
    let end = -2
    for (let n = layout.rowFirst[row]; n < layout.rowFirst[row + 1]; n++) {
      assert.ok(layout.left[n] >= end + 1.9, `${n} begins after the one before`)
      end = layout.left[n] + layout.ratio[n] * height
      assert.ok(layout.ratio[n] * height >= 40, `${n} is ${layout.ratio[n] * height} px wide`)
    }
    assert.ok(end <= 391, `row ${row} ends at ${end}`)
  }
})
