import { parseRows } from '../row.ts';

/** Instructions written in TypeScript (helpers): everything that is rare or intricate. All end a block. */
export const systemRows = parseRows(
  `
06 !64 | push_sreg | sreg=0 d64
0E !64 | push_sreg | sreg=1 d64
16 !64 | push_sreg | sreg=2 d64
1E !64 | push_sreg | sreg=3 d64
0F A0 | push_sreg | sreg=4 d64
0F A8 | push_sreg | sreg=5 d64
07 !64 | pop_sreg | sreg=0 d64
17 !64 | pop_sreg | sreg=2 d64
1F !64 | pop_sreg | sreg=3 d64
0F A1 | pop_sreg | sreg=4 d64
0F A9 | pop_sreg | sreg=5 d64
27 !64 | daa |
2F !64 | das |
37 !64 | aaa |
3F !64 | aas |
60 !64 | pusha |
61 !64 | popa |
62 /rm !64 | bound Gv M |
63 /r !64 | arpl Ew Gw |
6C | ins | b
6D | ins |
6E | outs | b
6F | outs |
8C /r | mov_rm_sreg Ev Sw |
8E /r | mov_sreg_rm Sw Ew |
8F /0 | pop_rm Ev | d64
F3 90 | pause |
9A !64 | call_far_ptr Ap |
9C | pushf | d64
9D | popf | d64
C4 /rm !64 | les Gv M |
C5 /rm !64 | lds Gv M |
C8 | enter Iw Ib2 | d64
CA | ret_far Iw |
CB | ret_far |
CC | int3 |
CD | int_n Ib |
CE !64 | into |
CF | iret |
D4 !64 | aam Ib |
D5 !64 | aad Ib |
D6 !64 | salc |
D7 | xlat |
E4 | in_imm Ab Ib | b
E5 | in_imm Av Ib |
E6 | out_imm Ib Ab | b
E7 | out_imm Ib Av |
EA !64 | jmp_far_ptr Ap |
EC | in_dx | b
ED | in_dx |
EE | out_dx | b
EF | out_dx |
F1 | int1 |
F4 | hlt |
FA | cli |
FB | sti |
FF /3m | call_far_m M |
FF /5m | jmp_far_m M |
0F 00 /0 | sldt Ev |
0F 00 /1 | str Ev |
0F 00 /2 | lldt Ew |
0F 00 /3 | ltr Ew |
0F 00 /4 | verr Ew |
0F 00 /5 | verw Ew |
0F 01 /0m | sgdt M |
0F 01 /1m | sidt M |
0F 01 /2m | lgdt M |
0F 01 /3m | lidt M |
0F 01 /4 | smsw Ev |
0F 01 /6 | lmsw Ew |
0F 01 /7m | invlpg M |
NP 0F 01 .C1 | vmcall |
NP 0F 01 .C2 | vmlaunch |
NP 0F 01 .C3 | vmresume |
NP 0F 01 .C4 | vmxoff |
NP 0F 01 .C8 | monitor |
NP 0F 01 .C9 | mwait |
NP 0F 01 .CA | clac |
NP 0F 01 .CB | stac |
NP 0F 01 .D0 | xgetbv |
NP 0F 01 .EE | rdpkru |
NP 0F 01 .EF | wrpkru |
NP 0F 01 .D1 | xsetbv |
NP 0F 01 .D4 | vmfunc |
0F 01 .F8 =64 | swapgs |
NP 0F 01 .E8 | serialize |
0F 01 .F9 | rdtscp |
0F 02 /r | lar Gv Ew |
0F 03 /r | lsl Gv Ew |
0F 05 | syscall |
0F 06 | clts |
0F 07 | sysret |
0F 08 | invd |
0F 09 | wbinvd |
0F 0B | ud |
NP 0F 1A /rm | bndldx bnd M |
F3 0F 1A /r | bndcl bnd E |
F2 0F 1A /r | bndcu bnd E |
66 0F 1A /r | bndmov_load bnd bndM |
NP 0F 1B /rm | bndstx M bnd |
F3 0F 1B /rm | bndmk bnd M |
F2 0F 1B /r | bndcn bnd E |
66 0F 1B /r | bndmov_store bndM bnd |
0F 20 /r | mov_r_cr | f64
0F 21 /r | mov_r_dr | f64
0F 22 /r | mov_cr_r | f64
0F 23 /r | mov_dr_r | f64
0F 30 | wrmsr |
0F 31 | rdtsc |
0F 32 | rdmsr |
0F 33 | rdpmc |
0F 34 | sysenter |
0F 35 | sysexit |
NP 0F 78 /r | vmread Ey Gy | f64
NP 0F 79 /r | vmwrite Gy Ey | f64
0F A2 | cpuid |
0F AA | rsm |
NP 0F AE /4m | xsave M |
NP 0F AE /5m | xrstor M |
NP 0F AE /6m | xsaveopt M |
NP 0F C7 /3m | xrstors M |
NP 0F C7 /4m | xsavec M |
NP 0F C7 /5m | xsaves M |
NP 0F AE /0m | fxsave M |
NP 0F AE /1m | fxrstor M |
NP 0F AE /2m | ldmxcsr M |
NP 0F AE /3m | stmxcsr M |
F3 0F AE /0r =64 | rdfsbase |
F3 0F AE /1r =64 | rdgsbase |
F3 0F AE /2r =64 | wrfsbase |
F3 0F AE /3r =64 | wrgsbase |
0F B2 /rm | lss Gv M |
0F B4 /rm | lfs Gv M |
0F B5 /rm | lgs Gv M |
0F B9 /r | ud |
NP 0F C7 /6m | vmptrld M |
66 0F C7 /6m | vmclear M |
F3 0F C7 /6m | vmxon M |
NP 0F C7 /7m | vmptrst M |
NFx 0F C7 /6r | rdrand Ev |
NFx 0F C7 /7r | rdseed Ev |
F3 0F C7 /7r | rdpid |
0F FF /r | ud |
66 0F 38 80 /rm | invept Gy M | f64
66 0F 38 81 /rm | invvpid Gy M | f64
66 0F 38 82 /rm | invpcid Gy M | f64
`.replaceAll(/^(.+\|.*)$/gm, '$1 helper'),
);
