import { CR4, type Cpu } from '../cpu.ts';
import { gp, ud } from '../fault.ts';
import type { HelperTable } from '../helper.ts';
import * as L from '../layout.ts';
import { writePkru } from '../protection-keys.ts';

/** SDM Vol. 2, RDPKRU and WRPKRU: #UD until CR4.PKE says that the operating system knows of keys; ECX chooses the one register. */
function check(cpu: Cpu): void {
  if ((cpu.cr4bits & CR4.PKE) === 0) throw ud();
  if (cpu.gpr32(1) !== 0) throw gp();
}

export const protectionKeyInstructions: HelperTable = {
  rdpkru(cpu) {
    check(cpu);
    cpu.setGpr32(0, cpu.u32(L.PKRU));
    cpu.setGpr32(2, 0);
  },
  wrpkru(cpu) {
    check(cpu);
    if (cpu.gpr32(2) !== 0) throw gp();
    writePkru(cpu, cpu.gpr32(0) >>> 0);
  },
};
