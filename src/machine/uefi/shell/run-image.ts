import type { FirmwareContext } from '../context.ts';
import { printLine } from '../console/output.ts';
import { readWholeFile, toFirmwarePath } from '../files/volume.ts';
import { Guids } from '../guids.ts';
import { protocolOn } from '../handles/database.ts';
import { loadImage, setLoadOptions } from '../images/loader.ts';
import { Refusal, statusName } from '../status.ts';
import type { ImageEntry } from '../state.ts';
import { hostDirectoryNodes } from '../tables/file-system-path.ts';

/** Loads an image for the boot manager or the shell; undefined (and a message) when it cannot be. */
export function prepareImage(fw: FirmwareContext, path: string, options: string, from = ''): ImageEntry | undefined {
  try {
    const file = readWholeFile(fw, path, from);
    if (!file) {
      printLine(fw, `${path}: no such file`);
      return undefined;
    }
    const name = file.path.slice(file.path.lastIndexOf('/') + 1);
    const device = fw.state.handles.find((h) => protocolOn(h, Guids.simpleFileSystem))?.handle ?? 0;
    const source = { bytes: file.bytes, name, path: toFirmwarePath(file.path), device, deviceNodes: hostDirectoryNodes, parent: 0 };
    const image = loadImage(fw, source);
    setLoadOptions(fw, image, options);
    fw.state.shell.running = name;
    return image;
  } catch (e) {
    if (!(e instanceof Refusal)) throw e;
    const why = e.reason === '' ? '' : ` (${e.reason})`;
    printLine(fw, `${path}: ${statusName(e.status)}${why}`);
    fw.machine.log(`UEFI cannot load ${path}: ${statusName(e.status)}${why}`);
    return undefined;
  }
}
