import { twins } from './twins.ts';

/** SSE to SSE4.2 on integers, and shuffles of any lanes, with their VEX forms. */
export const sseIntegerRows = twins(
  `
# SSE, SSE2
NP 0F 50 /rr | movmskps Gd W16 | vex256 unary
66 0F 50 /rr | movmskpd Gd W16 | vex256 unary
66 0F 63 /r | packsswb V Wx | vex256
66 0F 67 /r | packuswb V Wx | vex256
66 0F 6B /r | packssdw V Wx | vex256
66 0F 70 /r | pshufd V Wx Ib | vex256 unary
F3 0F 70 /r | pshufhw V Wx Ib | vex256 unary
F2 0F 70 /r | pshuflw V Wx Ib | vex256 unary
66 0F 71 /2r | psrlw_i W16 Ib | vex256 ndd
66 0F 71 /4r | psraw_i W16 Ib | vex256 ndd
66 0F 71 /6r | psllw_i W16 Ib | vex256 ndd
66 0F 72 /2r | psrld_i W16 Ib | vex256 ndd
66 0F 72 /4r | psrad_i W16 Ib | vex256 ndd
66 0F 72 /6r | pslld_i W16 Ib | vex256 ndd
66 0F 73 /2r | psrlq_i W16 Ib | vex256 ndd
66 0F 73 /3r | psrldq W16 Ib | vex256 ndd
66 0F 73 /6r | psllq_i W16 Ib | vex256 ndd
66 0F 73 /7r | pslldq W16 Ib | vex256 ndd
66 0F C4 /r | pinsrw V E2 Ib | vex
66 0F C5 /rr | pextrw Gd W16 Ib | vex unary
NP 0F C6 /r | shufps V Wx Ib | vex256
66 0F C6 /r | shufpd V Wx Ib | vex256
66 0F D1 /r | psrlw V W16c | vex256
66 0F D2 /r | psrld V W16c | vex256
66 0F D3 /r | psrlq V W16c | vex256
66 0F D5 /r | pmullw V Wx | vex256
66 0F D8 /r | psubusb V Wx | vex256
66 0F D9 /r | psubusw V Wx | vex256
66 0F DC /r | paddusb V Wx | vex256
66 0F DD /r | paddusw V Wx | vex256
66 0F E0 /r | pavgb V Wx | vex256
66 0F E1 /r | psraw V W16c | vex256
66 0F E2 /r | psrad V W16c | vex256
66 0F E3 /r | pavgw V Wx | vex256
66 0F E4 /r | pmulhuw V Wx | vex256
66 0F E5 /r | pmulhw V Wx | vex256
66 0F E8 /r | psubsb V Wx | vex256
66 0F E9 /r | psubsw V Wx | vex256
66 0F EC /r | paddsb V Wx | vex256
66 0F ED /r | paddsw V Wx | vex256
66 0F F1 /r | psllw V W16c | vex256
66 0F F2 /r | pslld V W16c | vex256
66 0F F3 /r | psllq V W16c | vex256
66 0F F4 /r | pmuludq V Wx | vex256
66 0F F5 /r | pmaddwd V Wx | vex256
66 0F F6 /r | psadbw V Wx | vex256

# SSE3
F2 0F 12 /r | movddup V W8 |
VEX F2 0F 12 /r | movddup V W8 | vex unary
VEX F2 0F 12 /r | movddup V W32 | vex256 no128 unary
F3 0F 12 /r | movsldup V Wx | vex256 unary
F3 0F 16 /r | movshdup V Wx | vex256 unary
F2 0F F0 /rm | movu V Wu | vex256 unary

# SSSE3
66 0F 38 00 /r | pshufb V Wx | vex256
66 0F 38 01 /r | phaddw V Wx | vex256
66 0F 38 02 /r | phaddd V Wx | vex256
66 0F 38 03 /r | phaddsw V Wx | vex256
66 0F 38 04 /r | pmaddubsw V Wx | vex256
66 0F 38 05 /r | phsubw V Wx | vex256
66 0F 38 06 /r | phsubd V Wx | vex256
66 0F 38 07 /r | phsubsw V Wx | vex256
66 0F 38 08 /r | psignb V Wx | vex256
66 0F 38 09 /r | psignw V Wx | vex256
66 0F 38 0A /r | psignd V Wx | vex256
66 0F 38 0B /r | pmulhrsw V Wx | vex256
66 0F 38 1C /r | pabsb V Wx | vex256 unary
66 0F 38 1D /r | pabsw V Wx | vex256 unary
66 0F 38 1E /r | pabsd V Wx | vex256 unary
66 0F 3A 0F /r | palignr V Wx Ib | vex256

# SSE4.1
66 0F 38 10 /r | pblendvb V Wx |
66 0F 38 14 /r | blendvps V Wx |
66 0F 38 15 /r | blendvpd V Wx |
66 0F 38 17 /r | ptest V Wx | vex256 unary
66 0F 38 20 /r | pmovsxbw V Wh | vex256 unary
66 0F 38 21 /r | pmovsxbd V Wq | vex256 unary
66 0F 38 22 /r | pmovsxbq V We | vex256 unary
66 0F 38 23 /r | pmovsxwd V Wh | vex256 unary
66 0F 38 24 /r | pmovsxwq V Wq | vex256 unary
66 0F 38 25 /r | pmovsxdq V Wh | vex256 unary
66 0F 38 28 /r | pmuldq V Wx | vex256
66 0F 38 29 /r | pcmpeqq V Wx | vex256
66 0F 38 2A /rm | movu V Wxa | vex256 unary
66 0F 38 2B /r | packusdw V Wx | vex256
66 0F 38 30 /r | pmovzxbw V Wh | vex256 unary
66 0F 38 31 /r | pmovzxbd V Wq | vex256 unary
66 0F 38 32 /r | pmovzxbq V We | vex256 unary
66 0F 38 33 /r | pmovzxwd V Wh | vex256 unary
66 0F 38 34 /r | pmovzxwq V Wq | vex256 unary
66 0F 38 35 /r | pmovzxdq V Wh | vex256 unary
66 0F 38 38 /r | pminsb V Wx | vex256
66 0F 38 39 /r | pminsd V Wx | vex256
66 0F 38 3A /r | pminuw V Wx | vex256
66 0F 38 3B /r | pminud V Wx | vex256
66 0F 38 3C /r | pmaxsb V Wx | vex256
66 0F 38 3D /r | pmaxsd V Wx | vex256
66 0F 38 3E /r | pmaxuw V Wx | vex256
66 0F 38 3F /r | pmaxud V Wx | vex256
66 0F 38 40 /r | pmulld V Wx | vex256
66 0F 38 41 /r | phminposuw V Wx | vex unary
66 0F 3A 0C /r | blendps V Wx Ib | vex256
66 0F 3A 0D /r | blendpd V Wx Ib | vex256
66 0F 3A 0E /r | pblendw V Wx Ib | vex256
66 0F 3A 14 /r | pextrb E1 V Ib | vex unary
66 0F 3A 15 /r | pextrw E2 V Ib | vex unary
66 0F 3A 16 /r | pextrd E V Ib |
VEX 66 0F 3A 16 /r | pextrd E V Ib | vex unary W0
VEX 66 0F 3A 16 /r | pextrd E V Ib | vex unary W1 =64
66 0F 3A 17 /r | extractps E4 V Ib | vex unary
66 0F 3A 20 /r | pinsrb V E1 Ib | vex
66 0F 3A 21 /r | insertps V W4 Ib | vex
66 0F 3A 22 /r | pinsrd V E Ib |
VEX 66 0F 3A 22 /r | pinsrd V E Ib | vex W0
VEX 66 0F 3A 22 /r | pinsrd V E Ib | vex W1 =64
66 0F 3A 42 /r | mpsadbw V Wx Ib | vex256

# SSE4.2
66 0F 38 37 /r | pcmpgtq V Wx | vex256
66 0F 3A 60 /r | pcmpestrm V Wu Ib | vex unary wide
66 0F 3A 61 /r | pcmpestri V Wu Ib | vex unary wide
66 0F 3A 62 /r | pcmpistrm V Wu Ib | vex unary
66 0F 3A 63 /r | pcmpistri V Wu Ib | vex unary
`,
  'sse',
  'avx',
);

/** AES, PCLMULQDQ, SHA. */
export const cryptoRows = twins(
  `
66 0F 38 DB /r | aesimc V Wx | vex unary
66 0F 38 DC /r | aesenc V Wx | vex
66 0F 38 DD /r | aesenclast V Wx | vex
66 0F 38 DE /r | aesdec V Wx | vex
66 0F 38 DF /r | aesdeclast V Wx | vex
66 0F 3A DF /r | aeskeygenassist V Wx Ib | vex unary
66 0F 3A 44 /r | pclmulqdq V Wx Ib | vex
NP 0F 3A CC /r | sha1rnds4 V Wx Ib |
NP 0F 38 C8 /r | sha1nexte V Wx |
NP 0F 38 C9 /r | sha1msg1 V Wx |
NP 0F 38 CA /r | sha1msg2 V Wx |
NP 0F 38 CB /r | sha256rnds2 V Wx |
NP 0F 38 CC /r | sha256msg1 V Wx |
NP 0F 38 CD /r | sha256msg2 V Wx |
`,
  'crypto',
  'crypto',
);
