import type { Row } from './row.ts';

/**
 * Which CPUID features an instruction needs, by their names in models/cpuid-bits.ts: without one of them its encoding is not an instruction
 * of that processor. Instructions that every processor with IA-32e mode has are not listed. SDM Vol. 1, 5.1 to 5.28.
 */
const byName: Readonly<Record<string, string>> = {
  fpu: 'fwait', // with the opcodes D8 to DF, below
  mmx: 'emms',
  cmov: 'cmovo cmovno cmovb cmovae cmove cmovne cmovbe cmova cmovs cmovns cmovp cmovnp cmovl cmovge cmovle cmovg fcmovb fcmove fcmovbe fcmovu fcmovnb fcmovne fcmovnbe fcmovnu fcomi fcomip fucomi fucomip',
  cx8: 'cmpxchg8b',
  sep: 'sysenter sysexit',
  syscall: 'syscall sysret',
  fxsr: 'fxsave fxrstor',
  clflush: 'clflush',
  clflushopt: 'clflushopt',
  clwb: 'clwb',
  sse: 'ldmxcsr stmxcsr pshufw maskmovq pinsrw_mmx pextrw_mmx pmovmskb_mmx pavgb_mmx pavgw_mmx pmulhuw_mmx psadbw_mmx pminub_mmx pmaxub_mmx pminsw_mmx pmaxsw_mmx',
  sse3: 'movddup movsldup movshdup addsubpd addsubps haddpd haddps hsubpd hsubps fisttp_m16 fisttp_m32 fisttp_m64',
  ssse3: 'pshufb phaddw phaddd phaddsw pmaddubsw phsubw phsubd phsubsw psignb psignw psignd pmulhrsw pabsb pabsw pabsd palignr',
  'sse4.1':
    'pblendvb blendvps blendvpd ptest pmovsxbw pmovsxbd pmovsxbq pmovsxwd pmovsxwq pmovsxdq pmuldq pcmpeqq packusdw pmovzxbw pmovzxbd pmovzxbq pmovzxwd pmovzxwq pmovzxdq pminsb pminsd pminuw pminud pmaxsb pmaxsd pmaxuw pmaxud pmulld phminposuw blendps blendpd pblendw pextrb pextrd extractps pinsrb insertps pinsrd mpsadbw roundps roundpd roundss roundsd dpps dppd',
  'sse4.2': 'crc32 pcmpgtq pcmpestrm pcmpestri pcmpistrm pcmpistri',
  popcnt: 'popcnt',
  aes: 'aesimc aesenc aesenclast aesdec aesdeclast aeskeygenassist',
  pclmulqdq: 'pclmulqdq',
  sha: 'sha1rnds4 sha1nexte sha1msg1 sha1msg2 sha256rnds2 sha256msg1 sha256msg2',
  f16c: 'vcvtph2ps vcvtps2ph',
  avx2: 'vpermd vpermq vpblendd vpsrlvd vpsrlvq vpsravd vpsllvd vpsllvq vbroadcast8 vbroadcast16 vgatherdd vgatherdq vgatherqd vgatherqq',
  bmi1: 'tzcnt andn blsr blsmsk blsi bextr',
  bmi2: 'bzhi pext pdep mulx shlx sarx shrx rorx',
  lzcnt: 'lzcnt',
  adx: 'adcx adox',
  movbe: 'movbe',
  rdrand: 'rdrand',
  rdseed: 'rdseed',
  xsave: 'xsave xrstor xgetbv xsetbv',
  xsaveopt: 'xsaveopt',
  xsavec: 'xsavec',
  xsaves: 'xsaves xrstors',
  fsgsbase: 'rdfsbase rdgsbase wrfsbase wrgsbase',
  rdtscp: 'rdtscp',
  rdpid: 'rdpid',
  invpcid: 'invpcid',
  smap: 'clac stac',
  pku: 'rdpkru wrpkru',
  mpx: 'bndmk bndcl bndcu bndcn bndmov_load bndmov_store bndldx bndstx',
  monitor: 'monitor mwait',
  serialize: 'serialize',
  vmx: 'vmcall vmlaunch vmresume vmxoff vmxon vmread vmwrite vmptrld vmptrst vmclear vmfunc invept invvpid',
}; // prettier-ignore

/** Names that stand for several instructions: by encoding. */
const byEncoding: Readonly<Record<string, string>> = {
  'F2 0F F0 /rm': 'sse3', // LDDQU
  '66 0F 38 2A /rm': 'sse4.1', // MOVNTDQA
  '66 0F 3A 14 /r': 'sse4.1', // PEXTRB
  '66 0F 3A 15 /r': 'sse4.1', // PEXTRW to memory
};

/** Opcodes whose VEX forms of 256 bits, or in any length, came with AVX2: SDM Vol. 2, appendix A, tables. */
const AVX2_256: Readonly<Record<number, (opcode: number) => boolean>> = {
  1: (n) => (n >= 0x60 && n <= 0x6d) || (n >= 0x70 && n <= 0x76) || (n >= 0xd1 && n <= 0xfe && n !== 0xd6 && n !== 0xe6 && n !== 0xe7 && n !== 0xf0 && n !== 0xd0),
  2: (n) => n <= 0x0b || (n >= 0x1c && n <= 0x2b) || (n >= 0x30 && n <= 0x40),
  3: (n) => n === 0x0e || n === 0x0f || n === 0x42 || n === 0x4c,
}; // prettier-ignore
const AVX2: Readonly<Record<number, readonly number[]>> = { 1: [], 2: [0x58, 0x59, 0x5a, 0x8c, 0x8e], 3: [0x38, 0x39, 0x46] };
/** VEX-encoded, but on general registers. */
const general = /^(bmi|f16c|fma)/;

const featureOf = new Map(Object.entries(byName).flatMap(([feature, names]) => names.split(' ').map((name) => [name, feature] as const)));
const cache = new WeakMap<Row, readonly string[]>();

/** Empty for what every model has. */
export function featuresOf(row: Row): readonly string[] {
  let list = cache.get(row);
  if (!list) cache.set(row, (list = row.vex ? vexFeatures(row) : legacyFeatures(row)));
  return list;
}

function legacyFeatures(row: Row): readonly string[] {
  const { name, map, opcode, prefix, operands } = row;
  const x87 = map === 0 && opcode >= 0xd8 && opcode <= 0xdf ? ['fpu'] : [];
  const own = byEncoding[row.encoding] ?? featureOf.get(name) ?? featureOf.get(name.replace(/_mmx$/, ''));
  if (own !== undefined) return [...x87, own].filter((f) => f !== 'fpu' || own === 'fpu' || x87.length > 0);
  if (x87.length > 0) return x87;
  if (!row.traits.vector) return [];
  if (!operands.some((o) => /^[VW]/.test(o))) return ['mmx'];
  return [(prefix === 0 || prefix === 0xf3) && !SSE2.test(row.encoding) ? 'sse' : 'sse2'];
}

/** NP and F3 belong to SSE, 66 and F2 to SSE2; but these are MOVDQU, MOVQ, PSHUFHW and conversions of doubles and integers. */
const SSE2 = /^(NP|F3) 0F (5A|5B|6F|70|7E|7F|D6|E6) /;

function vexFeatures(row: Row): readonly string[] {
  const own = featureOf.get(row.name);
  if (own !== undefined && general.test(own)) return [own];
  if (/^vfn?m(add|sub)/.test(row.name)) return ['fma'];
  if (own !== undefined) return [own];
  const legacy = featureOf.get(row.name.slice(1));
  if (legacy === 'aes' || legacy === 'pclmulqdq') return [legacy, 'avx'];
  const { map, opcode, prefix } = row;
  const integer = prefix !== 0 || map !== 1; // VUNPCKLPS and its like have no prefix
  if (AVX2[map]!.includes(opcode) || (row.vex!.length === 32 && integer && AVX2_256[map]!(opcode))) return ['avx2'];
  return map === 2 && (opcode === 0x18 || opcode === 0x19) && row.form === 'register' ? ['avx2'] : ['avx'];
}
