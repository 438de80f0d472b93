import type { CheckRow } from './check.ts';
import { entryControlChecks } from './entry-controls.ts';
import { executionControlChecks } from './execution-controls.ts';
import { exitControlChecks } from './exit-controls.ts';
import { guestRegisterChecks } from './guest-registers.ts';
import { guestSegmentChecks } from './guest-segments.ts';
import { guestStateChecks } from './guest-state.ts';
import { hostStateChecks } from './host-state.ts';

/** SDM Vol. 3, 27.2.1: a violation is VMfailValid(7). */
export const controlChecks: readonly CheckRow[] = [...executionControlChecks, ...exitControlChecks, ...entryControlChecks];
/** SDM Vol. 3, 27.2.2 to 27.2.4: a violation is VMfailValid(8). */
export const hostChecks: readonly CheckRow[] = hostStateChecks;
/** SDM Vol. 3, 27.3.1: a violation is a VM exit with reason 80000021H. */
export const guestChecks: readonly CheckRow[] = [...guestRegisterChecks, ...guestSegmentChecks, ...guestStateChecks];
