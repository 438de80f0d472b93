import { twins } from './twins.ts';

/**
 * SSE and SSE2: moves and logic, which all code uses: the legacy forms are in the interpreter, the VEX forms in the unit `avx`.
 * `V` is ModRM.reg, `W` ModRM.rm; twins.ts says what the attributes make of a row.
 */
export const sseRows = twins(
  `
NP 0F 10 /r | movu V Wu | vex256 unary
66 0F 10 /r | movu V Wu | vex256 unary
F3 0F 10 /r | movss_load V W4 |
F2 0F 10 /r | movsd_load V W8 |
NP 0F 11 /r | movu Wu V | vex256 unary
66 0F 11 /r | movu Wu V | vex256 unary
F3 0F 11 /r | movss_store W4 V |
F2 0F 11 /r | movsd_store W8 V |
VEX F3 0F 10 /rm | movss_load V W4 | lig unary
VEX F3 0F 10 /rr | movss_load V W4 | lig
VEX F2 0F 10 /rm | movsd_load V W8 | lig unary
VEX F2 0F 10 /rr | movsd_load V W8 | lig
VEX F3 0F 11 /rm | movss_store W4 V | lig unary
VEX F3 0F 11 /rr | movss_store W4 V | lig
VEX F2 0F 11 /rm | movsd_store W8 V | lig unary
VEX F2 0F 11 /rr | movsd_store W8 V | lig
NP 0F 12 /rm | movl_load V W8 | vex
NP 0F 12 /rr | movhlps V W16 | vex
66 0F 12 /rm | movl_load V W8 | vex
NP 0F 13 /rm | movl_store W8 V | vex unary
66 0F 13 /rm | movl_store W8 V | vex unary
NP 0F 14 /r | unpcklps V Wx | vex256
66 0F 14 /r | punpcklqdq V Wx | vex256
NP 0F 15 /r | unpckhps V Wx | vex256
66 0F 15 /r | punpckhqdq V Wx | vex256
NP 0F 16 /rm | movh_load V W8 | vex
NP 0F 16 /rr | movlhps V W16 | vex
66 0F 16 /rm | movh_load V W8 | vex
NP 0F 17 /rm | movh_store W8 V | vex unary
66 0F 17 /rm | movh_store W8 V | vex unary
NP 0F 28 /r | movu V Wxa | vex256 unary
66 0F 28 /r | movu V Wxa | vex256 unary
NP 0F 29 /r | movu Wxa V | vex256 unary
66 0F 29 /r | movu Wxa V | vex256 unary
NP 0F 2B /rm | movu Wxa V | vex256 unary
66 0F 2B /rm | movu Wxa V | vex256 unary
NP 0F 54 /r | pand V Wx | vex256
66 0F 54 /r | pand V Wx | vex256
NP 0F 55 /r | pandn V Wx | vex256
66 0F 55 /r | pandn V Wx | vex256
NP 0F 56 /r | por V Wx | vex256
66 0F 56 /r | por V Wx | vex256
NP 0F 57 /r | pxor V Wx | vex256
66 0F 57 /r | pxor V Wx | vex256
66 0F 60 /r | punpcklbw V Wx | vex256
66 0F 61 /r | punpcklwd V Wx | vex256
66 0F 62 /r | unpcklps V Wx | vex256
66 0F 64 /r | pcmpgtb V Wx | vex256
66 0F 65 /r | pcmpgtw V Wx | vex256
66 0F 66 /r | pcmpgtd V Wx | vex256
66 0F 68 /r | punpckhbw V Wx | vex256
66 0F 69 /r | punpckhwd V Wx | vex256
66 0F 6A /r | unpckhps V Wx | vex256
66 0F 6C /r | punpcklqdq V Wx | vex256
66 0F 6D /r | punpckhqdq V Wx | vex256
66 0F 6E /r | movd_load V E |
66 0F 6F /r | movu V Wxa | vex256 unary
F3 0F 6F /r | movu V Wu | vex256 unary
66 0F 74 /r | pcmpeqb V Wx | vex256
66 0F 75 /r | pcmpeqw V Wx | vex256
66 0F 76 /r | pcmpeqd V Wx | vex256
66 0F 7E /r | movd_store E V |
VEX 66 0F 6E /r | movd_load V E | vex unary W0
VEX 66 0F 6E /r | movd_load V E | vex unary W1 =64
VEX 66 0F 7E /r | movd_store E V | vex unary W0
VEX 66 0F 7E /r | movd_store E V | vex unary W1 =64
F3 0F 7E /r | movsd_load_zero V W8 | vex unary
66 0F 7F /r | movu Wxa V | vex256 unary
F3 0F 7F /r | movu Wu V | vex256 unary
66 0F D4 /r | paddq V Wx | vex256
66 0F D6 /r | movq_store W8 V | vex unary
66 0F D7 /rr | pmovmskb Gd W16 | vex256 unary
66 0F DA /r | pminub V Wx | vex256
66 0F DB /r | pand V Wx | vex256
66 0F DE /r | pmaxub V Wx | vex256
66 0F DF /r | pandn V Wx | vex256
66 0F E7 /rm | movu Wxa V | vex256 unary
66 0F EA /r | pminsw V Wx | vex256
66 0F EB /r | por V Wx | vex256
66 0F EE /r | pmaxsw V Wx | vex256
66 0F EF /r | pxor V Wx | vex256
66 0F F8 /r | psubb V Wx | vex256
66 0F F9 /r | psubw V Wx | vex256
66 0F FA /r | psubd V Wx | vex256
66 0F FB /r | psubq V Wx | vex256
66 0F FC /r | paddb V Wx | vex256
66 0F FD /r | paddw V Wx | vex256
66 0F FE /r | paddd V Wx | vex256
`,
  '',
  'avx',
);
