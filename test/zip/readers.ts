/** Third-party programs that read zips. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { witness } from '../tools.ts'

export const folder = mkdtempSync(join(tmpdir(), 'ipp-zip-'))
after(() => rmSync(folder, { recursive: true }))

const PYTHON = `import zipfile, sys
zip = zipfile.ZipFile(sys.argv[1])
assert zip.testzip() is None
print(len(zip.infolist()))`
/** Java's ZipFile. Its ZipInputStream refuses every stored entry whose checksum follows its data. */
const JAVA = `import java.io.*; import java.util.*; import java.util.zip.*;
class ReadZip { public static void main(String[] args) throws IOException {
  int count = 0;
  try (ZipFile zip = new ZipFile(args[0])) {
    for (ZipEntry entry : Collections.list(zip.entries())) {
      CheckedInputStream in = new CheckedInputStream(zip.getInputStream(entry), new CRC32());
      in.transferTo(OutputStream.nullOutputStream());
      if (in.getChecksum().getValue() != entry.getCrc()) throw new IOException(entry.getName());
      count++;
    }
  }
  System.out.println(count);
} }`

const run = (program: string, args: string[]): string =>
  execFileSync(program, args, { encoding: 'utf8', maxBuffer: 1e9, stdio: ['ignore', 'pipe', 'inherit'] })
const linesOf = (text: string): number => text.trim().split('\n').length

/** Each function reads a whole zip, throws if anything in it is wrong, and returns its number of entries. */
export const READERS = new Map<string, (file: string) => number>()
if (witness('unzip')) {
  READERS.set('unzip', file => { run('unzip', ['-tq', file]); return linesOf(run('unzip', ['-Z1', file])) })
}
if (witness('7z', 'p7zip-full')) {
  // without a line of its own for a single file
  READERS.set('7z', file => Number(/Files: (\d+)/.exec(run('7z', ['t', file]))?.[1] ?? 1))
}
if (witness('bsdtar', 'libarchive-tools')) {
  READERS.set('bsdtar', file => {
    execFileSync('bsdtar', ['-xOf', file], { stdio: 'ignore' })
    return linesOf(run('bsdtar', ['-tf', file]))
  })
}
if (witness('python3')) READERS.set('Python', file => Number(run('python3', ['-c', PYTHON, file])))
if (witness('javac', 'default-jdk-headless')) {
  const source = join(folder, 'ReadZip.java')
  writeFileSync(source, JAVA)
  run('javac', ['-d', folder, source])
  READERS.set('Java', file => Number(run('java', ['-cp', folder, 'ReadZip', file])))
}
