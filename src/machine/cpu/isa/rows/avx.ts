import { parseRows } from '../row.ts';

/** AVX and AVX2: what has no legacy form. */
const unit = (text: string, name: string): string => text.trim().split('\n').map((l) => `${l} unit=${name}`).join('\n'); // prettier-ignore

export const avxRows = parseRows(
  unit(
    `
VEX.128.0F.WIG 77 | vzeroupper |
VEX.256.0F.WIG 77 | vzeroall |
VEX.128.66.0F38.W0 0C /r | vpermilps V H W16 |
VEX.256.66.0F38.W0 0C /r | vpermilps V H W32 |
VEX.128.66.0F38.W0 0D /r | vpermilpd V H W16 |
VEX.256.66.0F38.W0 0D /r | vpermilpd V H W32 |
VEX.128.66.0F3A.W0 04 /r | vpermilps_i V W16 Ib |
VEX.256.66.0F3A.W0 04 /r | vpermilps_i V W32 Ib |
VEX.128.66.0F3A.W0 05 /r | vpermilpd_i V W16 Ib |
VEX.256.66.0F3A.W0 05 /r | vpermilpd_i V W32 Ib |
VEX.256.66.0F3A.W0 06 /r | vperm2f128 V H W32 Ib |
VEX.256.66.0F3A.W0 46 /r | vperm2f128 V H W32 Ib |
VEX.256.66.0F38.W0 16 /r | vpermd V H W32 |
VEX.256.66.0F38.W0 36 /r | vpermd V H W32 |
VEX.256.66.0F3A.W1 00 /r | vpermq V W32 Ib |
VEX.256.66.0F3A.W1 01 /r | vpermq V W32 Ib |
VEX.128.66.0F3A.W0 02 /r | vpblendd V H W16 Ib |
VEX.256.66.0F3A.W0 02 /r | vpblendd V H W32 Ib |
VEX.128.66.0F3A.W0 4A /r /is4 | vblendvps V H W16 Lx |
VEX.256.66.0F3A.W0 4A /r /is4 | vblendvps V H W32 Lx |
VEX.128.66.0F3A.W0 4B /r /is4 | vblendvpd V H W16 Lx |
VEX.256.66.0F3A.W0 4B /r /is4 | vblendvpd V H W32 Lx |
VEX.128.66.0F3A.W0 4C /r /is4 | vpblendvb V H W16 Lx |
VEX.256.66.0F3A.W0 4C /r /is4 | vpblendvb V H W32 Lx |
VEX.128.66.0F38.W0 0E /r | vtestps V W16 |
VEX.256.66.0F38.W0 0E /r | vtestps V W32 |
VEX.128.66.0F38.W0 0F /r | vtestpd V W16 |
VEX.256.66.0F38.W0 0F /r | vtestpd V W32 |
VEX.128.66.0F38.W0 18 /rm | vbroadcast32 V W4 |
VEX.128.66.0F38.W0 18 /rr | vbroadcast32 V W4 |
VEX.256.66.0F38.W0 18 /rm | vbroadcast32 V W4 |
VEX.256.66.0F38.W0 18 /rr | vbroadcast32 V W4 |
VEX.256.66.0F38.W0 19 /rm | vbroadcast64 V W8 |
VEX.256.66.0F38.W0 19 /rr | vbroadcast64 V W8 |
VEX.256.66.0F38.W0 1A /rm | vbroadcast128 V W16 |
VEX.256.66.0F38.W0 5A /rm | vbroadcast128 V W16 |
VEX.128.66.0F38.W0 58 /r | vbroadcast32 V W4 |
VEX.256.66.0F38.W0 58 /r | vbroadcast32 V W4 |
VEX.128.66.0F38.W0 59 /r | vbroadcast64 V W8 |
VEX.256.66.0F38.W0 59 /r | vbroadcast64 V W8 |
VEX.128.66.0F38.W0 78 /r | vbroadcast8 V W1 |
VEX.256.66.0F38.W0 78 /r | vbroadcast8 V W1 |
VEX.128.66.0F38.W0 79 /r | vbroadcast16 V W2 |
VEX.256.66.0F38.W0 79 /r | vbroadcast16 V W2 |
VEX.256.66.0F3A.W0 18 /r | vinsert128 V H W16 Ib |
VEX.256.66.0F3A.W0 38 /r | vinsert128 V H W16 Ib |
VEX.256.66.0F3A.W0 19 /r | vextract128 W16 V Ib |
VEX.256.66.0F3A.W0 39 /r | vextract128 W16 V Ib |
VEX.128.66.0F38.W0 45 /r | vpsrlvd V H W16 |
VEX.256.66.0F38.W0 45 /r | vpsrlvd V H W32 |
VEX.128.66.0F38.W1 45 /r | vpsrlvq V H W16 |
VEX.256.66.0F38.W1 45 /r | vpsrlvq V H W32 |
VEX.128.66.0F38.W0 46 /r | vpsravd V H W16 |
VEX.256.66.0F38.W0 46 /r | vpsravd V H W32 |
VEX.128.66.0F38.W0 47 /r | vpsllvd V H W16 |
VEX.256.66.0F38.W0 47 /r | vpsllvd V H W32 |
VEX.128.66.0F38.W1 47 /r | vpsllvq V H W16 |
VEX.256.66.0F38.W1 47 /r | vpsllvq V H W32 |
VEX.128.66.0F38.W0 2C /rm | vmaskload32 V H W16 | elements
VEX.256.66.0F38.W0 2C /rm | vmaskload32 V H W32 | elements
VEX.128.66.0F38.W0 2D /rm | vmaskload64 V H W16 | elements
VEX.256.66.0F38.W0 2D /rm | vmaskload64 V H W32 | elements
VEX.128.66.0F38.W0 2E /rm | vmaskstore32 W16 H V | elements
VEX.256.66.0F38.W0 2E /rm | vmaskstore32 W32 H V | elements
VEX.128.66.0F38.W0 2F /rm | vmaskstore64 W16 H V | elements
VEX.256.66.0F38.W0 2F /rm | vmaskstore64 W32 H V | elements
VEX.128.66.0F38.W0 8C /rm | vmaskload32 V H W16 | elements
VEX.256.66.0F38.W0 8C /rm | vmaskload32 V H W32 | elements
VEX.128.66.0F38.W1 8C /rm | vmaskload64 V H W16 | elements
VEX.256.66.0F38.W1 8C /rm | vmaskload64 V H W32 | elements
VEX.128.66.0F38.W0 8E /rm | vmaskstore32 W16 H V | elements
VEX.256.66.0F38.W0 8E /rm | vmaskstore32 W32 H V | elements
VEX.128.66.0F38.W1 8E /rm | vmaskstore64 W16 H V | elements
VEX.256.66.0F38.W1 8E /rm | vmaskstore64 W32 H V | elements
VEX.128.66.0F38.W0 90 /rm | vgatherdd V W4 H | vsib
VEX.256.66.0F38.W0 90 /rm | vgatherdd V W4 H | vsib
VEX.128.66.0F38.W1 90 /rm | vgatherdq V W8 H | vsib
VEX.256.66.0F38.W1 90 /rm | vgatherdq V W8 H | vsib
VEX.128.66.0F38.W0 91 /rm | vgatherqd V W4 H | vsib
VEX.256.66.0F38.W0 91 /rm | vgatherqd V W4 H | vsib
VEX.128.66.0F38.W1 91 /rm | vgatherqq V W8 H | vsib
VEX.256.66.0F38.W1 91 /rm | vgatherqq V W8 H | vsib
VEX.128.66.0F38.W0 92 /rm | vgatherdd V W4 H | vsib
VEX.256.66.0F38.W0 92 /rm | vgatherdd V W4 H | vsib
VEX.128.66.0F38.W1 92 /rm | vgatherdq V W8 H | vsib
VEX.256.66.0F38.W1 92 /rm | vgatherdq V W8 H | vsib
VEX.128.66.0F38.W0 93 /rm | vgatherqd V W4 H | vsib
VEX.256.66.0F38.W0 93 /rm | vgatherqd V W4 H | vsib
VEX.128.66.0F38.W1 93 /rm | vgatherqq V W8 H | vsib
VEX.256.66.0F38.W1 93 /rm | vgatherqq V W8 H | vsib
`,
    'avx',
  ),
);

/** Written in TypeScript. MASKMOVDQU's address is in rDI. */
export const vectorHelperRows = parseRows(`
VEX.LZ.0F.WIG AE /2m | vldmxcsr M | helper
VEX.LZ.0F.WIG AE /3m | vstmxcsr M | helper
66 0F F7 /rr | maskmovdqu V W16 | helper
VEX.128.66.0F.WIG F7 /rr | vmaskmovdqu V W16 | helper
`);
