/** IA32_BNDCFGS: SDM Vol. 1, 17.3.3. Its initial value is that of `mpx/state.ts`, since INIT clears it too. */
import { gp } from '../fault.ts';
import * as L from '../layout.ts';
import { configLegal, setConfig } from '../mpx/state.ts';
import type { Msr } from './row.ts';

export const boundMsrs: readonly Msr[] = [
  {
    index: 0xd90,
    name: 'IA32_BNDCFGS',
    section: 'SDM Vol. 1, 17.3.3',
    needs: 'mpx',
    read: (cpu) => cpu.u64(L.BNDCFGS),
    write(cpu, value) {
      if (!configLegal(cpu, value)) throw gp();
      setConfig(cpu, L.BNDCFGS, value);
    },
  },
];
