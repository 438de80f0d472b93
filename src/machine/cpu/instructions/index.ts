import type { HelperTable } from '../helper.ts';
import { controlRegisterInstructions } from './control-register.ts';
import { debugRegisterInstructions } from './debug-register.ts';
import { maskedMoveInstructions } from './masked-move.ts';
import { monitorInstructions } from './monitor.ts';
import { msrInstructions } from './msr.ts';
import { processorInstructions } from './processor.ts';
import { protectionKeyInstructions } from './protection-keys.ts';
import { randomInstructions } from './random.ts';
import { segmentBaseInstructions } from './segment-base.ts';
import { translationInstructions } from './translation.ts';
import { mpxInstructions } from '../mpx/instructions.ts';
import { xsaveInstructions } from '../xsave/index.ts';

/** Instructions that control the processor, by `Insn.name`. */
export const controlInstructions: HelperTable = {
  ...controlRegisterInstructions,
  ...debugRegisterInstructions,
  ...maskedMoveInstructions,
  ...monitorInstructions,
  ...msrInstructions,
  ...protectionKeyInstructions,
  ...randomInstructions,
  ...translationInstructions,
  ...segmentBaseInstructions,
  ...processorInstructions,
  ...xsaveInstructions,
  ...mpxInstructions,
};
