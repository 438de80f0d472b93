import { parseRows } from '../row.ts';

/**
 * x87: SDM Vol. 2, appendix A, tables. Operands are implied, but for memory and ST(i) in ModRM.rm. Encodings that the
 * tables leave out but that processors execute are the names that stand twice. `fast`: emitted code, but for
 * unusual addresses of 64-bit mode, where it is a helper.
 */
export const x87Rows = parseRows(
  `
9B | fwait |
D8 /0m | fadd_m32 M4 | fast
D8 /1m | fmul_m32 M4 | fast
D8 /2m | fcom_m32 M4 | fast
D8 /3m | fcomp_m32 M4 | fast
D8 /4m | fsub_m32 M4 | fast
D8 /5m | fsubr_m32 M4 | fast
D8 /6m | fdiv_m32 M4 | fast
D8 /7m | fdivr_m32 M4 | fast
D8 /0r | fadd S | fast
D8 /1r | fmul S | fast
D8 /2r | fcom S | fast
D8 /3r | fcomp S | fast
D8 /4r | fsub S | fast
D8 /5r | fsubr S | fast
D8 /6r | fdiv S | fast
D8 /7r | fdivr S | fast
DC /0m | fadd_m64 M8 | fast
DC /1m | fmul_m64 M8 | fast
DC /2m | fcom_m64 M8 | fast
DC /3m | fcomp_m64 M8 | fast
DC /4m | fsub_m64 M8 | fast
DC /5m | fsubr_m64 M8 | fast
DC /6m | fdiv_m64 M8 | fast
DC /7m | fdivr_m64 M8 | fast
DC /0r | fadd_sti S | fast
DC /1r | fmul_sti S | fast
DC /2r | fcom S | fast
DC /3r | fcomp S | fast
DC /4r | fsubr_sti S | fast
DC /5r | fsub_sti S | fast
DC /6r | fdivr_sti S | fast
DC /7r | fdiv_sti S | fast
DA /0m | fiadd_m32 M |
DA /1m | fimul_m32 M |
DA /2m | ficom_m32 M |
DA /3m | ficomp_m32 M |
DA /4m | fisub_m32 M |
DA /5m | fisubr_m32 M |
DA /6m | fidiv_m32 M |
DA /7m | fidivr_m32 M |
DA /0r | fcmovb |
DA /1r | fcmove |
DA /2r | fcmovbe |
DA /3r | fcmovu |
DA .E9 | fucompp | fast
DE /0m | fiadd_m16 M |
DE /1m | fimul_m16 M |
DE /2m | ficom_m16 M |
DE /3m | ficomp_m16 M |
DE /4m | fisub_m16 M |
DE /5m | fisubr_m16 M |
DE /6m | fidiv_m16 M |
DE /7m | fidivr_m16 M |
DE /0r | faddp S | fast
DE /1r | fmulp S | fast
DE /2r | fcomp S | fast
DE /4r | fsubrp S | fast
DE /5r | fsubp S | fast
DE /6r | fdivrp S | fast
DE /7r | fdivp S | fast
DE .D9 | fcompp | fast
D9 /0m | fld_m32 M4 | fast
D9 /2m | fst_m32 M4 | fast
D9 /3m | fstp_m32 M4 | fast
D9 /4m | fldenv M |
D9 /5m | fldcw M |
D9 /6m | fnstenv M |
D9 /7m | fnstcw M |
D9 /0r | fld S | fast
D9 /1r | fxch S | fast
D9 .D0 | fnop |
D9 /3r | fstpnce |
D9 .E0 | fchs | fast
D9 .E1 | fabs | fast
D9 .E4 | ftst |
D9 .E5 | fxam |
D9 .E8 | fld1 | fast
D9 .E9 | fldl2t |
D9 .EA | fldl2e |
D9 .EB | fldpi |
D9 .EC | fldlg2 |
D9 .ED | fldln2 |
D9 .EE | fldz | fast
D9 .F0 | f2xm1 |
D9 .F1 | fyl2x |
D9 .F2 | fptan |
D9 .F3 | fpatan |
D9 .F4 | fxtract |
D9 .F5 | fprem1 |
D9 .F6 | fdecstp |
D9 .F7 | fincstp |
D9 .F8 | fprem |
D9 .F9 | fyl2xp1 |
D9 .FA | fsqrt |
D9 .FB | fsincos |
D9 .FC | frndint |
D9 .FD | fscale |
D9 .FE | fsin |
D9 .FF | fcos |
DB /0m | fild_m32 M4 | fast
DB /1m | fisttp_m32 M |
DB /2m | fist_m32 M |
DB /3m | fistp_m32 M |
DB /5m | fld_m80 M |
DB /7m | fstp_m80 M |
DB /0r | fcmovnb |
DB /1r | fcmovne |
DB /2r | fcmovnbe |
DB /3r | fcmovnu |
DB .E0 | fnop_287 |
DB .E1 | fnop_287 |
DB .E2 | fnclex |
DB .E3 | fninit |
DB .E4 | fnop_287 |
DB /5r | fucomi |
DB /6r | fcomi |
DD /0m | fld_m64 M8 | fast
DD /1m | fisttp_m64 M |
DD /2m | fst_m64 M8 | fast
DD /3m | fstp_m64 M8 | fast
DD /4m | frstor M |
DD /6m | fnsave M |
DD /7m | fnstsw_m M |
DD /0r | ffree |
DD /1r | fxch S | fast
DD /2r | fst S | fast
DD /3r | fstp S | fast
DD /4r | fucom S | fast
DD /5r | fucomp S | fast
DF /0m | fild_m16 M2 | fast
DF /1m | fisttp_m16 M |
DF /2m | fist_m16 M |
DF /3m | fistp_m16 M |
DF /4m | fbld M |
DF /5m | fild_m64 M8 | fast
DF /6m | fbstp M |
DF /7m | fistp_m64 M |
DF /0r | ffreep |
DF /1r | fxch S | fast
DF /2r | fstp S | fast
DF /3r | fstp S | fast
DF .E0 | fnstsw_ax | fast
DF /5r | fucomip |
DF /6r | fcomip |
`
    .replaceAll(/\| fast$/gm, '| elements unit=x87')
    .replaceAll(/^(.+\|)$/gm, '$1 helper'),
);
