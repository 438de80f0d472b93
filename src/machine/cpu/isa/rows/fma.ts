import type { Row } from '../row.ts';
import { twins } from './twins.ts';

/** FMA3: the digits say which operands are multiplied and which one is added, 1 being the destination. */
export const fmaRows: readonly Row[] = twins(
  `
VEX 66 0F 38 96 /r | fmaddsub132ps V Wx | vex256 W0
VEX 66 0F 38 96 /r | fmaddsub132pd V Wx | vex256 W1
VEX 66 0F 38 97 /r | fmsubadd132ps V Wx | vex256 W0
VEX 66 0F 38 97 /r | fmsubadd132pd V Wx | vex256 W1
VEX 66 0F 38 98 /r | fmadd132ps V Wx | vex256 W0
VEX 66 0F 38 99 /r | fmadd132ss V W4 | lig W0
VEX 66 0F 38 98 /r | fmadd132pd V Wx | vex256 W1
VEX 66 0F 38 99 /r | fmadd132sd V W8 | lig W1
VEX 66 0F 38 9A /r | fmsub132ps V Wx | vex256 W0
VEX 66 0F 38 9B /r | fmsub132ss V W4 | lig W0
VEX 66 0F 38 9A /r | fmsub132pd V Wx | vex256 W1
VEX 66 0F 38 9B /r | fmsub132sd V W8 | lig W1
VEX 66 0F 38 9C /r | fnmadd132ps V Wx | vex256 W0
VEX 66 0F 38 9D /r | fnmadd132ss V W4 | lig W0
VEX 66 0F 38 9C /r | fnmadd132pd V Wx | vex256 W1
VEX 66 0F 38 9D /r | fnmadd132sd V W8 | lig W1
VEX 66 0F 38 9E /r | fnmsub132ps V Wx | vex256 W0
VEX 66 0F 38 9F /r | fnmsub132ss V W4 | lig W0
VEX 66 0F 38 9E /r | fnmsub132pd V Wx | vex256 W1
VEX 66 0F 38 9F /r | fnmsub132sd V W8 | lig W1
VEX 66 0F 38 A6 /r | fmaddsub213ps V Wx | vex256 W0
VEX 66 0F 38 A6 /r | fmaddsub213pd V Wx | vex256 W1
VEX 66 0F 38 A7 /r | fmsubadd213ps V Wx | vex256 W0
VEX 66 0F 38 A7 /r | fmsubadd213pd V Wx | vex256 W1
VEX 66 0F 38 A8 /r | fmadd213ps V Wx | vex256 W0
VEX 66 0F 38 A9 /r | fmadd213ss V W4 | lig W0
VEX 66 0F 38 A8 /r | fmadd213pd V Wx | vex256 W1
VEX 66 0F 38 A9 /r | fmadd213sd V W8 | lig W1
VEX 66 0F 38 AA /r | fmsub213ps V Wx | vex256 W0
VEX 66 0F 38 AB /r | fmsub213ss V W4 | lig W0
VEX 66 0F 38 AA /r | fmsub213pd V Wx | vex256 W1
VEX 66 0F 38 AB /r | fmsub213sd V W8 | lig W1
VEX 66 0F 38 AC /r | fnmadd213ps V Wx | vex256 W0
VEX 66 0F 38 AD /r | fnmadd213ss V W4 | lig W0
VEX 66 0F 38 AC /r | fnmadd213pd V Wx | vex256 W1
VEX 66 0F 38 AD /r | fnmadd213sd V W8 | lig W1
VEX 66 0F 38 AE /r | fnmsub213ps V Wx | vex256 W0
VEX 66 0F 38 AF /r | fnmsub213ss V W4 | lig W0
VEX 66 0F 38 AE /r | fnmsub213pd V Wx | vex256 W1
VEX 66 0F 38 AF /r | fnmsub213sd V W8 | lig W1
VEX 66 0F 38 B6 /r | fmaddsub231ps V Wx | vex256 W0
VEX 66 0F 38 B6 /r | fmaddsub231pd V Wx | vex256 W1
VEX 66 0F 38 B7 /r | fmsubadd231ps V Wx | vex256 W0
VEX 66 0F 38 B7 /r | fmsubadd231pd V Wx | vex256 W1
VEX 66 0F 38 B8 /r | fmadd231ps V Wx | vex256 W0
VEX 66 0F 38 B9 /r | fmadd231ss V W4 | lig W0
VEX 66 0F 38 B8 /r | fmadd231pd V Wx | vex256 W1
VEX 66 0F 38 B9 /r | fmadd231sd V W8 | lig W1
VEX 66 0F 38 BA /r | fmsub231ps V Wx | vex256 W0
VEX 66 0F 38 BB /r | fmsub231ss V W4 | lig W0
VEX 66 0F 38 BA /r | fmsub231pd V Wx | vex256 W1
VEX 66 0F 38 BB /r | fmsub231sd V W8 | lig W1
VEX 66 0F 38 BC /r | fnmadd231ps V Wx | vex256 W0
VEX 66 0F 38 BD /r | fnmadd231ss V W4 | lig W0
VEX 66 0F 38 BC /r | fnmadd231pd V Wx | vex256 W1
VEX 66 0F 38 BD /r | fnmadd231sd V W8 | lig W1
VEX 66 0F 38 BE /r | fnmsub231ps V Wx | vex256 W0
VEX 66 0F 38 BF /r | fnmsub231ss V W4 | lig W0
VEX 66 0F 38 BE /r | fnmsub231pd V Wx | vex256 W1
VEX 66 0F 38 BF /r | fnmsub231sd V W8 | lig W1
`,
  '',
  'fma',
);

/** F16C. */
export const f16cRows: readonly Row[] = twins(
  `
VEX 66 0F 38 13 /r | cvtph2ps V Wh | vex256 unary W0
VEX 66 0F 3A 1D /r | cvtps2ph Wh V Ib | vex256 unary W0
`,
  '',
  'fma',
);
