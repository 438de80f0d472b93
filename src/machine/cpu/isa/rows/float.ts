import type { Row } from '../row.ts';
import { twins } from './twins.ts';

/**
 * Floating-point instructions of SSE, SSE2, SSE3, SSE4.1 and AVX. Moves, shuffles and logic are elsewhere. Legacy and VEX forms are functions of
 * units of their own: code that uses one kind mostly does not use the other.
 */
export const floatRows: readonly Row[] = twins(
  `
NP 0F 58 /r | addps V Wx | vex256
66 0F 58 /r | addpd V Wx | vex256
F3 0F 58 /r | addss V W4 | lig
F2 0F 58 /r | addsd V W8 | lig
NP 0F 5C /r | subps V Wx | vex256
66 0F 5C /r | subpd V Wx | vex256
F3 0F 5C /r | subss V W4 | lig
F2 0F 5C /r | subsd V W8 | lig
NP 0F 59 /r | mulps V Wx | vex256
66 0F 59 /r | mulpd V Wx | vex256
F3 0F 59 /r | mulss V W4 | lig
F2 0F 59 /r | mulsd V W8 | lig
NP 0F 5E /r | divps V Wx | vex256
66 0F 5E /r | divpd V Wx | vex256
F3 0F 5E /r | divss V W4 | lig
F2 0F 5E /r | divsd V W8 | lig
NP 0F 51 /r | sqrtps V Wx | vex256 unary
66 0F 51 /r | sqrtpd V Wx | vex256 unary
F3 0F 51 /r | sqrtss V W4 | lig
F2 0F 51 /r | sqrtsd V W8 | lig
NP 0F 5D /r | minps V Wx | vex256
66 0F 5D /r | minpd V Wx | vex256
F3 0F 5D /r | minss V W4 | lig
F2 0F 5D /r | minsd V W8 | lig
NP 0F 5F /r | maxps V Wx | vex256
66 0F 5F /r | maxpd V Wx | vex256
F3 0F 5F /r | maxss V W4 | lig
F2 0F 5F /r | maxsd V W8 | lig
NP 0F C2 /r | cmpps V Wx Ib | vex256
66 0F C2 /r | cmppd V Wx Ib | vex256
F3 0F C2 /r | cmpss V W4 Ib | lig
F2 0F C2 /r | cmpsd V W8 Ib | lig
NP 0F 2F /r | comiss V W4 | lig unary
66 0F 2F /r | comisd V W8 | lig unary
NP 0F 2E /r | ucomiss V W4 | lig unary
66 0F 2E /r | ucomisd V W8 | lig unary
NP 0F 5A /r | cvtps2pd V Wh | vex256 unary
66 0F 5A /r | cvtpd2ps V Wx | vex256 unary
F3 0F 5A /r | cvtss2sd V W4 | lig
F2 0F 5A /r | cvtsd2ss V W8 | lig
NP 0F 5B /r | cvtdq2ps V Wx | vex256 unary
66 0F 5B /r | cvtps2dq V Wx | vex256 unary
F3 0F 5B /r | cvttps2dq V Wx | vex256 unary
F3 0F E6 /r | cvtdq2pd V Wh | vex256 unary
F2 0F E6 /r | cvtpd2dq V Wx | vex256 unary
66 0F E6 /r | cvttpd2dq V Wx | vex256 unary
F3 0F 2A /r | cvtsi2ss V E | lig
F2 0F 2A /r | cvtsi2sd V E | lig
F3 0F 2C /r | cvttss2si G W4 | lig unary
F2 0F 2C /r | cvttsd2si G W8 | lig unary
F3 0F 2D /r | cvtss2si G W4 | lig unary
F2 0F 2D /r | cvtsd2si G W8 | lig unary
NP 0F 2A /r | cvtpi2ps V Q8 |
66 0F 2A /r | cvtpi2pd V Q8 |
NP 0F 2C /r | cvttps2pi P W8 |
66 0F 2C /r | cvttpd2pi P W16a |
NP 0F 2D /r | cvtps2pi P W8 |
66 0F 2D /r | cvtpd2pi P W16a |
66 0F 3A 08 /r | roundps V Wx Ib | vex256 unary
66 0F 3A 09 /r | roundpd V Wx Ib | vex256 unary
66 0F 3A 0A /r | roundss V W4 Ib | lig
66 0F 3A 0B /r | roundsd V W8 Ib | lig
66 0F D0 /r | addsubpd V Wx | vex256
F2 0F D0 /r | addsubps V Wx | vex256
66 0F 7C /r | haddpd V Wx | vex256
F2 0F 7C /r | haddps V Wx | vex256
66 0F 7D /r | hsubpd V Wx | vex256
F2 0F 7D /r | hsubps V Wx | vex256
66 0F 3A 40 /r | dpps V Wx Ib | vex256
66 0F 3A 41 /r | dppd V Wx Ib | vex
NP 0F 52 /r | rsqrtps V Wx | vex256 unary
F3 0F 52 /r | rsqrtss V W4 | lig
NP 0F 53 /r | rcpps V Wx | vex256 unary
F3 0F 53 /r | rcpss V W4 | lig
`,
  'float',
  'avx-float',
);
