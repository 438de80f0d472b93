import { internal, type Service } from '../call/service.ts';
import { tick } from '../events/dispatch.ts';
import { continuation } from '../images/continuation.ts';
import { bootManager } from '../shell/boot-manager.ts';
import { exceptionTrap } from '../boot/exceptions.ts';
import { bootServices } from './boot/index.ts';
import { CheckEventAsked, StallAgain, WaitForEventAgain, WaitForEventAsked } from './boot/events.ts';
import { runtimeServices } from './runtime/index.ts';
import { devicePathToText } from './protocols/device-path-to-text.ts';
import { file, simpleFileSystem } from './protocols/file.ts';
import { textInput, textInputEx, textInputExRest } from './protocols/text-input.ts';
import { textOutput } from './protocols/text-output.ts';
import { unicodeCollation } from './protocols/unicode-collation.ts';

/** Services that answer after ExitBootServices. */
export const runtimeNames: ReadonlySet<string> = new Set(runtimeServices.map((s) => s.name));

export const EXCEPTIONS = 32;

/** Traps that belong to no table: continuations, re-entries, the tick, exceptions. */
const internals: readonly Service[] = [
  internal('Continuation', continuation),
  internal('Tick', tick),
  internal('BootManager', bootManager),
  WaitForEventAgain,
  WaitForEventAsked,
  CheckEventAsked,
  StallAgain,
  ...Array.from({ length: EXCEPTIONS }, (_, vector) => exceptionTrap(vector)),
];

/** The functions of the protocols that the firmware has. */
export const protocolServices: readonly Service[] = [
  ...textOutput,
  ...textInput,
  ...textInputEx,
  ...textInputExRest,
  ...simpleFileSystem,
  ...file,
  ...unicodeCollation,
  ...devicePathToText,
];

/** Every trap; its place in this list is its slot. */
export const services: readonly Service[] = [...internals, ...bootServices.filter((s) => s !== undefined), ...runtimeServices, ...protocolServices];
