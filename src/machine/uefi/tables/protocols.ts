import type { FirmwareContext } from '../context.ts';
import { EventType, Tpl } from '../constants.ts';
import { createEvent } from '../events/events.ts';
import { Guids } from '../guids.ts';
import { installProtocol } from '../handles/database.ts';
import { encodePath } from '../handles/device-path.ts';
import { hostDirectoryNodes } from './file-system-path.ts';
import { textOutputMode, TEXT_MODE_SIZE, writeMode } from '../console/output.ts';
import { allocateBootData } from '../memory/pool.ts';
import { Pack } from '../pack.ts';
import type { Service } from '../call/service.ts';
import { devicePathToText } from '../services/protocols/device-path-to-text.ts';
import { simpleFileSystem } from '../services/protocols/file.ts';
import { textInput, textInputEx, textInputExRest } from '../services/protocols/text-input.ts';
import { textOutput } from '../services/protocols/text-output.ts';
import { unicodeCollation } from '../services/protocols/unicode-collation.ts';

/** Puts the firmware's own protocols into boot data and the handle database. */

const members = (fw: FirmwareContext, list: readonly Service[], pack = new Pack()): Pack => list.reduce((p, s) => p.u64(fw.slot(s.name)), pack);

function place(fw: FirmwareContext, pack: Pack): number {
  const bytes = pack.done();
  const at = allocateBootData(fw.state, bytes.length);
  fw.memory.write(at, bytes);
  return at;
}

/** An event that follows the keyboard: EVT_NOTIFY_WAIT without a function of the guest's. */
function keyEvent(fw: FirmwareContext): number {
  const entry = createEvent(fw.state, 0, Tpl.notify, '0x0', '0x0', null);
  entry.type = EventType.notifyWait;
  entry.key = true;
  return entry.event;
}

export interface Consoles {
  readonly input: number;
  readonly inputProtocol: number;
  readonly output: number;
  readonly outputProtocol: number;
}

export function installConsoles(fw: FirmwareContext): Consoles {
  const { state } = fw;
  fw.memory.fill(textOutputMode(fw), TEXT_MODE_SIZE, 0);
  writeMode(fw);
  const outputProtocol = place(fw, members(fw, textOutput).u64(textOutputMode(fw)));
  const inputProtocol = place(fw, members(fw, textInput).u64(keyEvent(fw)));
  const inputEx = place(fw, members(fw, textInputExRest, members(fw, textInputEx).u64(keyEvent(fw))));
  const output = installProtocol(state, 0, Guids.simpleTextOutput, outputProtocol);
  const input = installProtocol(state, 0, Guids.simpleTextInput, inputProtocol);
  installProtocol(state, input, Guids.simpleTextInputEx, inputEx);
  return { input, inputProtocol, output, outputProtocol };
}

const FILE_SYSTEM_REVISION = 0x1_0000;

/** `fs0:`; returns its handle, 0 without a directory. */
export function installFileSystem(fw: FirmwareContext): number {
  if (!fw.options.directory) return 0;
  const path = place(fw, new Pack().bytes(encodePath(hostDirectoryNodes)));
  const handle = installProtocol(fw.state, 0, Guids.devicePath, path);
  installProtocol(fw.state, handle, Guids.simpleFileSystem, place(fw, members(fw, simpleFileSystem, new Pack().u64(FILE_SYSTEM_REVISION))));
  return handle;
}

export function installServices(fw: FirmwareContext): void {
  const languages = place(fw, new Pack().ascii('en\0'));
  const collation = place(fw, members(fw, unicodeCollation).u64(languages));
  const handle = installProtocol(fw.state, 0, Guids.unicodeCollation2, collation);
  installProtocol(fw.state, handle, Guids.devicePathToText, place(fw, members(fw, devicePathToText)));
}
