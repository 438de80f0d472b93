import type { FirmwareContext } from '../context.ts';
import { printLine } from '../console/output.ts';
import { findFile, onHost, splitName } from '../files/volume.ts';
import { Refusal, statusName } from '../status.ts';
import type { ImageEntry } from '../state.ts';
import { commands } from './commands.ts';
import { prepareImage } from './run-image.ts';

/** Words of a command line: spaces separate, quotes join, `^` escapes, `#` begins a comment (UEFI Shell 2.2, 3.3 and 3.6). */
export function words(line: string): string[] {
  const out: string[] = [];
  let word: string | undefined;
  let quoted = false;
  for (let n = 0; n < line.length; n++) {
    let c = line[n]!;
    if (c === '#' && !quoted && word === undefined) break;
    if (c === '"') {
      quoted = !quoted;
      word ??= '';
      continue;
    }
    if (/\s/.test(c) && !quoted) {
      if (word !== undefined) out.push(word);
      word = undefined;
      continue;
    }
    if (c === '^' && n + 1 < line.length) c = line[++n]!;
    word = (word ?? '') + c;
  }
  if (word !== undefined) out.push(word);
  return out;
}

/** `fs0:` is the one volume; its prefix is optional. Undefined: another volume. */
export function withoutVolume(name: string): string | undefined {
  const m = /^([^:\\/]*):(.*)$/.exec(name);
  if (!m) return name;
  return m[1]!.toLowerCase() === 'fs0' ? (/^[\\/]/.test(m[2]!) ? m[2]! : `\\${m[2]!}`) : undefined;
}

/** The shell's directory as host path. */
export const currentDirectory = (fw: FirmwareContext): string => fw.state.shell.cwd.split('\\').filter(Boolean).join('/');

/** Runs a line; gives the image to enter when it names one. */
export function execute(fw: FirmwareContext, text: string): ImageEntry | undefined {
  const line = text.trim().replace(/^@/, '');
  const [name, ...args] = words(line);
  if (name === undefined) return undefined;
  const command = commands.find((c) => c.name === name.toLowerCase() || c.aliases?.includes(name.toLowerCase()));
  try {
    if (command) command.run(fw, args);
    else if (/^[^:\\/]+:$/.test(name)) changeVolume(fw, name);
    else return runImage(fw, name, line);
  } catch (e) {
    if (!(e instanceof Refusal)) throw e;
    printLine(fw, `${name}: ${e.reason || statusName(e.status)}`);
  }
  return undefined;
}

function changeVolume(fw: FirmwareContext, name: string): void {
  if (name.toLowerCase() !== 'fs0:' || !fw.options.directory) printLine(fw, `${name} is not a volume; 'map' lists them`);
}

/** Where an image is looked for: the name, the name with .efi; from the current directory, then from the root. */
function runImage(fw: FirmwareContext, name: string, line: string): ImageEntry | undefined {
  const { directory } = fw.options;
  const path = withoutVolume(name);
  if (directory && path !== undefined) {
    for (const candidate of [path, `${path}.efi`]) {
      for (const from of [currentDirectory(fw), '']) {
        const parts = splitName(from, candidate);
        const found = parts && onHost(fw, candidate, () => findFile(directory, parts));
        if (found && !found.entry.directory) return prepareImage(fw, candidate, line, from);
      }
    }
  }
  printLine(fw, `'${name}' is neither a command nor an image; 'help' lists the commands`);
  return undefined;
}
