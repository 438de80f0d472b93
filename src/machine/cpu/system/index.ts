import type { HelperTable } from '../helper.ts';
import { decimalInstructions } from './decimal.ts';
import { farTransferInstructions } from './far-transfer.ts';
import { fastCallInstructions } from './fast-calls.ts';
import { flagInstructions } from './flag-instructions.ts';
import { x87Instructions } from '../x87/index.ts';
import { fxsaveInstructions } from './fxsave.ts';
import { ioInstructions } from './io.ts';
import { iretInstructions } from './iret.ts';
import { segmentMoveInstructions } from './segment-moves.ts';
import { selectorQueryInstructions } from './selector-queries.ts';
import { softwareInterruptInstructions } from './software-interrupts.ts';
import { stackFrameInstructions } from './stack-frames.ts';
import { tableRegisterInstructions } from './table-registers.ts';

/** Segmentation, transfers, events, I/O, and the legacy oddities: everything of this folder by `Insn.name`. */
export const systemInstructions: HelperTable = {
  ...farTransferInstructions,
  ...iretInstructions,
  ...softwareInterruptInstructions,
  ...fastCallInstructions,
  ...flagInstructions,
  ...ioInstructions,
  ...segmentMoveInstructions,
  ...tableRegisterInstructions,
  ...selectorQueryInstructions,
  ...stackFrameInstructions,
  ...decimalInstructions,
  ...x87Instructions,
  ...fxsaveInstructions,
};
