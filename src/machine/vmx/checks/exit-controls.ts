import { Exit, Pin } from '../controls.ts';
import { F } from '../fields.ts';
import { msrAreaRows, type CheckRow } from './check.ts';
import { allowedRows } from './execution-controls.ts';

/** SDM Vol. 3, 27.2.1.2: checks on VM-exit control fields. */
const section = '27.2.1.2';

export const exitControlChecks: readonly CheckRow[] = [
  ...allowedRows('control.exit', section, 'exit', F.exitControls),
  {
    id: 'control.save-preemption-timer',
    section,
    title: 'with "activate VMX-preemption timer" 0, "save VMX-preemption timer value" must be 0',
    fields: [F.pinControls, F.exitControls],
    when: (c) => (c.pin & Pin.preemptionTimer) === 0,
    holds: (c) => (c.exit & Exit.savePreemptionTimer) === 0,
  },
  ...msrAreaRows('control.exit-msr-store', section, F.exitMsrStoreAddress, F.exitMsrStoreCount),
  ...msrAreaRows('control.exit-msr-load', section, F.exitMsrLoadAddress, F.exitMsrLoadCount),
];
