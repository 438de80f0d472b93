import { parseRows } from '../row.ts';

/**
 * MMX, with what SSE, SSE2 and SSSE3 added for its registers: the SDM's mnemonics with `_mmx` where vectors have the same. `P` is
 * ModRM.reg, `Q` ModRM.rm, in which REX takes no part.
 */
export const mmxRows = parseRows(
  `
NP 0F 60 /r | punpcklbw_mmx P Q4 |
NP 0F 61 /r | punpcklwd_mmx P Q4 |
NP 0F 62 /r | punpckldq_mmx P Q4 |
NP 0F 63 /r | packsswb_mmx P Q8 |
NP 0F 64 /r | pcmpgtb_mmx P Q8 |
NP 0F 65 /r | pcmpgtw_mmx P Q8 |
NP 0F 66 /r | pcmpgtd_mmx P Q8 |
NP 0F 67 /r | packuswb_mmx P Q8 |
NP 0F 68 /r | punpckhbw_mmx P Q8 |
NP 0F 69 /r | punpckhwd_mmx P Q8 |
NP 0F 6A /r | punpckhdq_mmx P Q8 |
NP 0F 6B /r | packssdw_mmx P Q8 |
NP 0F 6E /r | movd_load_mmx P E |
NP 0F 6F /r | movq_mmx P Q8 |
NP 0F 70 /r | pshufw P Q8 Ib |
NP 0F 71 /2r | psrlw_i_mmx Q8 Ib |
NP 0F 71 /4r | psraw_i_mmx Q8 Ib |
NP 0F 71 /6r | psllw_i_mmx Q8 Ib |
NP 0F 72 /2r | psrld_i_mmx Q8 Ib |
NP 0F 72 /4r | psrad_i_mmx Q8 Ib |
NP 0F 72 /6r | pslld_i_mmx Q8 Ib |
NP 0F 73 /2r | psrlq_i_mmx Q8 Ib |
NP 0F 73 /6r | psllq_i_mmx Q8 Ib |
NP 0F 74 /r | pcmpeqb_mmx P Q8 |
NP 0F 75 /r | pcmpeqw_mmx P Q8 |
NP 0F 76 /r | pcmpeqd_mmx P Q8 |
NP 0F 7E /r | movd_store_mmx E P |
NP 0F 7F /r | movq_mmx Q8 P |
NP 0F C4 /r | pinsrw_mmx P E2 Ib |
NP 0F C5 /rr | pextrw_mmx Gd Q8 Ib |
NP 0F D1 /r | psrlw_mmx P Q8 |
NP 0F D2 /r | psrld_mmx P Q8 |
NP 0F D3 /r | psrlq_mmx P Q8 |
NP 0F D4 /r | paddq_mmx P Q8 |
NP 0F D5 /r | pmullw_mmx P Q8 |
F3 0F D6 /rr | movq2dq V Q8 |
F2 0F D6 /rr | movdq2q P W16 |
NP 0F D7 /rr | pmovmskb_mmx Gd Q8 |
NP 0F D8 /r | psubusb_mmx P Q8 |
NP 0F D9 /r | psubusw_mmx P Q8 |
NP 0F DA /r | pminub_mmx P Q8 |
NP 0F DB /r | pand_mmx P Q8 |
NP 0F DC /r | paddusb_mmx P Q8 |
NP 0F DD /r | paddusw_mmx P Q8 |
NP 0F DE /r | pmaxub_mmx P Q8 |
NP 0F DF /r | pandn_mmx P Q8 |
NP 0F E0 /r | pavgb_mmx P Q8 |
NP 0F E1 /r | psraw_mmx P Q8 |
NP 0F E2 /r | psrad_mmx P Q8 |
NP 0F E3 /r | pavgw_mmx P Q8 |
NP 0F E4 /r | pmulhuw_mmx P Q8 |
NP 0F E5 /r | pmulhw_mmx P Q8 |
NP 0F E7 /rm | movq_mmx Q8 P |
NP 0F E8 /r | psubsb_mmx P Q8 |
NP 0F E9 /r | psubsw_mmx P Q8 |
NP 0F EA /r | pminsw_mmx P Q8 |
NP 0F EB /r | por_mmx P Q8 |
NP 0F EC /r | paddsb_mmx P Q8 |
NP 0F ED /r | paddsw_mmx P Q8 |
NP 0F EE /r | pmaxsw_mmx P Q8 |
NP 0F EF /r | pxor_mmx P Q8 |
NP 0F F1 /r | psllw_mmx P Q8 |
NP 0F F2 /r | pslld_mmx P Q8 |
NP 0F F3 /r | psllq_mmx P Q8 |
NP 0F F4 /r | pmuludq_mmx P Q8 |
NP 0F F5 /r | pmaddwd_mmx P Q8 |
NP 0F F6 /r | psadbw_mmx P Q8 |
NP 0F F8 /r | psubb_mmx P Q8 |
NP 0F F9 /r | psubw_mmx P Q8 |
NP 0F FA /r | psubd_mmx P Q8 |
NP 0F FB /r | psubq_mmx P Q8 |
NP 0F FC /r | paddb_mmx P Q8 |
NP 0F FD /r | paddw_mmx P Q8 |
NP 0F FE /r | paddd_mmx P Q8 |
NP 0F 38 00 /r | pshufb_mmx P Q8 |
NP 0F 38 01 /r | phaddw_mmx P Q8 |
NP 0F 38 02 /r | phaddd_mmx P Q8 |
NP 0F 38 03 /r | phaddsw_mmx P Q8 |
NP 0F 38 04 /r | pmaddubsw_mmx P Q8 |
NP 0F 38 05 /r | phsubw_mmx P Q8 |
NP 0F 38 06 /r | phsubd_mmx P Q8 |
NP 0F 38 07 /r | phsubsw_mmx P Q8 |
NP 0F 38 08 /r | psignb_mmx P Q8 |
NP 0F 38 09 /r | psignw_mmx P Q8 |
NP 0F 38 0A /r | psignd_mmx P Q8 |
NP 0F 38 0B /r | pmulhrsw_mmx P Q8 |
NP 0F 38 1C /r | pabsb_mmx P Q8 |
NP 0F 38 1D /r | pabsw_mmx P Q8 |
NP 0F 38 1E /r | pabsd_mmx P Q8 |
NP 0F 3A 0F /r | palignr_mmx P Q8 Ib |
`.replaceAll(/^(.+\|.*)$/gm, '$1 unit=mmx') +
    `
NP 0F 77 | emms | helper
NP 0F F7 /rr | maskmovq P Q8 | helper
`,
);
