import type { FirmwareContext } from '../context.ts';
import { memoryTypeNames, PAGE } from '../constants.ts';
import { clearScreen, printLine } from '../console/output.ts';
import { findFile, onHost, splitName, type Found } from '../files/volume.ts';
import { guidName } from '../guids.ts';
import { pathText } from '../handles/device-path.ts';
import { revisionText } from '../images/loader.ts';
import { describeMap, DESCRIPTOR_SIZE } from '../memory/map.ts';
import { Refusal, Status } from '../status.ts';
import { hostDirectoryNodes } from '../tables/file-system-path.ts';
import { currentDirectory, withoutVolume } from './execute.ts';

/** The shell's commands: a row each, in the order that `help` shows. */
export interface Command {
  readonly name: string;
  readonly aliases?: readonly string[];
  readonly help: string;
  /** Throws Refusal with a reason to show. */
  run(fw: FirmwareContext, args: readonly string[]): void;
}

const refuse = (reason: string): Refusal => new Refusal(Status.NOT_FOUND, reason);

/** A file or directory named on the command line. */
function find(fw: FirmwareContext, name: string): Found {
  const { directory } = fw.options;
  const path = withoutVolume(name);
  const parts = path === undefined ? undefined : splitName(currentDirectory(fw), path);
  const found = directory && parts && onHost(fw, name, () => findFile(directory, parts));
  if (!found) throw refuse(`${name}: no such file or directory`);
  return found;
}

const date = (ms: number): string => new Date(ms).toISOString().slice(0, 16).replace('T', ' ');
const hex = (n: number, digits = 16): string => n.toString(16).toUpperCase().padStart(digits, '0');

function listDirectory(fw: FirmwareContext, args: readonly string[]): void {
  const found = find(fw, args[0] ?? '.');
  const { directory, } = fw.options; // prettier-ignore
  const entries = found.entry.directory ? onHost(fw, found.path, () => directory!.list(found.path)) : [found.entry];
  printLine(fw, `Directory of fs0:\\${found.path.replaceAll('/', '\\')}`);
  for (const e of entries) {
    const size = e.directory ? '<DIR>'.padEnd(14) : e.size.toLocaleString('en-US').padStart(14);
    printLine(fw, `  ${date(e.modified ?? fw.machine.clock.startDate)}  ${size}  ${e.name}`);
  }
}

function memoryMap(fw: FirmwareContext): void {
  const bytes = describeMap(fw.state.map);
  const view = new DataView(bytes.buffer);
  const totals = new Map<string, number>();
  printLine(fw, 'Type        Start            End              Pages            Attributes');
  for (let at = 0; at < bytes.length; at += DESCRIPTOR_SIZE) {
    const type = view.getUint32(at, true);
    const name = memoryTypeNames[type] ?? hex(type, 8);
    const start = Number(view.getBigUint64(at + 8, true));
    const pages = Number(view.getBigUint64(at + 24, true));
    const attributes = view
      .getBigUint64(at + 32, true)
      .toString(16)
      .toUpperCase()
      .padStart(16, '0');
    printLine(fw, `${name.padEnd(11)} ${hex(start)} ${hex(start + pages * PAGE - 1)} ${hex(pages)} ${attributes}`);
    totals.set(name, (totals.get(name) ?? 0) + pages);
  }
  printLine(fw);
  for (const [name, pages] of totals) printLine(fw, `  ${name.padEnd(11)}${pages.toLocaleString('en-US').padStart(12)} pages`);
}

export const commands: readonly Command[] = [
  { name: 'ls', aliases: ['dir'], help: 'ls [path]: list a directory', run: listDirectory },
  {
    name: 'cd',
    help: 'cd [path]: show or change the current directory',
    run(fw, args) {
      if (args[0] === undefined) return printLine(fw, `fs0:${fw.state.shell.cwd}`);
      const found = find(fw, args[0]);
      if (!found.entry.directory) throw refuse(`${args[0]}: not a directory`);
      fw.state.shell.cwd = `\\${found.path.replaceAll('/', '\\')}`;
    },
  },
  {
    name: 'type',
    help: 'type file: show a text file',
    run(fw, args) {
      if (args[0] === undefined) throw refuse('which file?');
      const found = find(fw, args[0]);
      if (found.entry.directory) throw refuse(`${args[0]}: is a directory`);
      const bytes = onHost(fw, found.path, () => fw.options.directory!.read(found.path, 0, Math.min(found.entry.size, 1 << 20)));
      printLine(fw, new TextDecoder(bytes[0] === 0xff && bytes[1] === 0xfe ? 'utf-16le' : 'utf-8').decode(bytes).replace(/\r?\n/g, '\n'));
    },
  },
  {
    name: 'map',
    help: 'map: list the volumes',
    run: (fw) => printLine(fw, fw.options.directory ? `  fs0:  ${pathText(hostDirectoryNodes)}` : 'There are no volumes.'),
  },
  { name: 'memmap', help: 'memmap: show the memory map', run: memoryMap },
  {
    name: 'dh',
    help: 'dh: show handles and their protocols',
    run(fw) {
      fw.state.handles.forEach((h, n) =>
        printLine(fw, `${hex(n + 1, 2)}: ${hex(h.handle, 8)}  ${h.protocols.map((p) => guidName(p.guid)).join(' ')}`),
      );
    },
  },
  {
    name: 'echo',
    help: 'echo [text]: print text',
    run: (fw, args) => (/^-(on|off)$/i.test(args[0] ?? '') ? undefined : printLine(fw, args.join(' '))),
  },
  { name: 'cls', help: 'cls: clear the screen', run: (fw) => clearScreen(fw) },
  { name: 'ver', help: 'ver: show the version', run: (fw) => printLine(fw, `vmxscope built-in UEFI, UEFI ${revisionText}`) },
  {
    name: 'reset',
    help: 'reset [-s]: restart the machine; -s switches it off',
    run(fw, args) {
      fw.state.shell.phase = 'halted';
      fw.machine.request(args.some((a) => a.toLowerCase() === '-s') ? 'power-off' : 'reset');
    },
  },
  {
    name: 'exit',
    help: 'exit: end startup.nsh',
    run(fw) {
      if (fw.state.shell.script.length === 0) printLine(fw, 'There is nothing else to boot.');
      fw.state.shell.script = [];
    },
  },
  {
    name: 'help',
    aliases: ['?'],
    help: 'help: this list',
    run(fw) {
      for (const c of commands) printLine(fw, `  ${c.help}`);
      printLine(fw, '  NAME[.efi] [arguments]: run an image; fs0:\\path\\NAME works too');
    },
  },
];
