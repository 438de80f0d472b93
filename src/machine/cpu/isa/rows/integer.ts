import { parseRows } from '../row.ts';

const alu = ['add', 'or', 'adc', 'sbb', 'and', 'sub', 'xor', 'cmp']
  .map((name, n) => {
    const op = (k: number): string => (n * 8 + k).toString(16).toUpperCase().padStart(2, '0');
    const lock = name === 'cmp' ? '' : 'lock';
    return `
${op(0)} /r | ${name} Eb Gb | ${lock} hot
${op(1)} /r | ${name} Ev Gv | ${lock} hot
${op(2)} /r | ${name} Gb Eb | hot
${op(3)} /r | ${name} Gv Ev | hot
${op(4)}    | ${name} Ab Ib |
${op(5)}    | ${name} Av Iz |
80 /${n}    | ${name} Eb Ib | ${lock} hot
81 /${n}    | ${name} Ev Iz | ${lock} hot
82 /${n} !64 | ${name} Eb Ib | ${lock}
83 /${n}    | ${name} Ev Ibs | ${lock} hot
`;
  })
  .join('');

const shifts = ['rol', 'ror', 'rcl', 'rcr', 'shl', 'shr', 'shl', 'sar']
  .map(
    (name, n) => `
C0 /${n} | ${name} Eb Ib |
C1 /${n} | ${name} Ev Ib |
D0 /${n} | ${name} Eb 1 |
D1 /${n} | ${name} Ev 1 |
D2 /${n} | ${name} Eb Cb |
D3 /${n} | ${name} Ev Cb |
`,
  )
  .join('');

const conditions = ['o', 'no', 'b', 'ae', 'e', 'ne', 'be', 'a', 's', 'ns', 'p', 'np', 'l', 'ge', 'le', 'g'];
const hex = (n: number): string => n.toString(16).toUpperCase().padStart(2, '0');
const conditional = conditions
  .map(
    (cc, n) => `
${hex(0x70 + n)} | j${cc} Jb | branch f64
0F ${hex(0x80 + n)} | j${cc} Jz | branch f64
0F ${hex(0x40 + n)} /r | cmov${cc} Gv Ev |
0F ${hex(0x90 + n)} /r | set${cc} Eb |
`,
  )
  .join('');

/** The general-purpose instructions that are emitted code. */
export const integerRows = parseRows(`
${alu}
${shifts}
${conditional}
40+r !64 | inc Zv |
48+r !64 | dec Zv |
50+r | push Zv | d64 stack
58+r | pop Zv | d64 stack
63 /r =64 | movsxd Gv Ed |
68 | push Iz | d64 stack
69 /r | imul Gv Ev Iz |
6A | push Ibs | d64 stack
6B /r | imul Gv Ev Ibs |
84 /r | test Eb Gb | hot
85 /r | test Ev Gv | hot
86 /r | xchg Eb Gb | lock
87 /r | xchg Ev Gv | lock
88 /r | mov Eb Gb | hot
89 /r | mov Ev Gv | hot
8A /r | mov Gb Eb | hot
8B /r | mov Gv Ev | hot
8D /rm | lea Gv M | hot
90 | nop |
90+r | xchg Zv Av |
98 | cbw |
99 | cwd |
9E | sahf |
9F | lahf |
A0 | mov Ab Ob |
A1 | mov Av Ov |
A2 | mov Ob Ab |
A3 | mov Ov Av |
A4 | movs | b string
A5 | movs | string
A6 | cmps | b string
A7 | cmps | string
A8 | test Ab Ib |
A9 | test Av Iz |
AA | stos | b string
AB | stos | string
AC | lods | b string
AD | lods | string
AE | scas | b string
AF | scas | string
B0+r | mov Zb Ib |
B8+r | mov Zv Iv |
C2 | ret Iw | branch stack f64
C3 | ret | branch stack f64
C6 /0 | mov Eb Ib | hot
C7 /0 | mov Ev Iz | hot
C9 | leave | d64 stack
E0 | loopne Jb | branch f64
E1 | loope Jb | branch f64
E2 | loop Jb | branch f64
E3 | jcxz Jb | branch f64
E8 | call Jz | branch stack f64
E9 | jmp Jz | branch f64
EB | jmp Jb | branch f64
F5 | cmc |
F6 /0 | test Eb Ib | hot
F6 /1 | test Eb Ib |
F6 /2 | not Eb | lock
F6 /3 | neg Eb | lock
F6 /4 | mul Eb |
F6 /5 | imul1 Eb |
F6 /6 | div Eb |
F6 /7 | idiv Eb |
F7 /0 | test Ev Iz | hot
F7 /1 | test Ev Iz |
F7 /2 | not Ev | lock
F7 /3 | neg Ev | lock
F7 /4 | mul Ev |
F7 /5 | imul1 Ev |
F7 /6 | div Ev |
F7 /7 | idiv Ev |
F8 | clc |
F9 | stc |
FC | cld |
FD | std |
FE /0 | inc Eb | lock
FE /1 | dec Eb | lock
FF /0 | inc Ev | lock hot
FF /1 | dec Ev | lock hot
FF /2 | call_rm Ev | branch stack f64
FF /4 | jmp_rm Ev | branch f64
FF /6 | push Ev | d64 stack
0F 0D /rm | nop Eb |
0F 18 /r | nop_rm Ev |
0F 19 /r | nop_rm Ev |
0F 1A /r | nop_rm Ev |
0F 1B /r | nop_rm Ev |
0F 1C /r | nop_rm Ev |
0F 1D /r | nop_rm Ev |
0F 1E /r | nop_rm Ev |
0F 1F /r | nop_rm Ev |
0F A3 /r | bt Ev Gv |
0F A4 /r | shld Ev Gv Ib |
0F A5 /r | shld Ev Gv Cb |
0F AB /r | bts Ev Gv | lock
0F AC /r | shrd Ev Gv Ib |
0F AD /r | shrd Ev Gv Cb |
NP 0F AE /7m | clflush Eb |
66 0F AE /7m | clflushopt Eb |
66 0F AE /6m | clwb Eb |
NP 0F AE /5r | nop_rm Ev |
NP 0F AE /6r | nop_rm Ev |
NP 0F AE /7r | nop_rm Ev |
0F AF /r | imul Gv Ev |
0F B0 /r | cmpxchg Eb Gb | lock
0F B1 /r | cmpxchg Ev Gv | lock
0F B3 /r | btr Ev Gv | lock
0F B6 /r | movzx8 Gv Eb | hot
0F B7 /r | movzx16 Gv Ew | hot
F3 0F B8 /r | popcnt Gv Ev |
0F BA /4 | bt Ev Ib |
0F BA /5 | bts Ev Ib | lock
0F BA /6 | btr Ev Ib | lock
0F BA /7 | btc Ev Ib | lock
0F BB /r | btc Ev Gv | lock
0F BC /r | bsf Gv Ev |
0F BD /r | bsr Gv Ev |
0F BE /r | movsx8 Gv Eb | hot
0F BF /r | movsx16 Gv Ew | hot
0F C0 /r | xadd Eb Gb | lock
0F C1 /r | xadd Ev Gv | lock
NP 0F C3 /rm | mov Ey Gy |
0F C7 /1m | cmpxchg8b Mq | lock
0F C8+r | bswap Zv |
`);
