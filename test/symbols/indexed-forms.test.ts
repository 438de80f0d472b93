import { expect, it } from 'vitest';
import { loadSymbolFile } from '../../src/symbols/load.ts';
import { buildElf } from './programs.ts';
import { gdb, workshop } from './tools.ts';

const shop = workshop();

/**
 * The forms that refer by index (strx, addrx, rnglistx and their fixed sizes), DW_FORM_indirect and implicit_const, written by hand because gcc
 * keeps them for split files. Every kind of range list entry occurs once (DWARF 5 sections 7.5.6 and 7.25).
 */
const SOURCE = `
	.file 0 "/src" "outer.c"
	.file 1 "lib/inner.h"
	.globl outer
	.type outer, @function
	.text
text:
outer:	.loc 0 10
	nop
in1:	.loc 1 20
	nop
	nop
in1end:	.loc 0 11
	nop
in2:	.loc 1 21
	nop
in2end:	.loc 0 12
	nop
in3:	.loc 1 22
	nop
in3end:	.loc 0 13
	ret
in4:	.loc 1 23
	nop
in4end:	.loc 0 14
	nop
in5:	.loc 1 24
	nop
in5end:	.loc 0 15
	nop
in6:	.loc 1 25
	nop
in6end:	.loc 0 16
	nop
	nop
outerend:
	.size outer, .-outer

	.section .debug_line,"",@progbits
line:
	.section .debug_abbrev,"",@progbits
abbrev:
	.uleb128 1, 0x11; .byte 1                       # compile_unit with children
	.uleb128 0x03, 0x25, 0x1b, 0x1a, 0x72, 0x17, 0x73, 0x17, 0x74, 0x17  # name strx1, comp_dir strx, the three bases
	.uleb128 0x11, 0x1b, 0x12, 0x06, 0x10, 0x17, 0x13, 0x0b, 0, 0        # low_pc addrx, high_pc data4, stmt_list, language
	.uleb128 2, 0x2e; .byte 1                       # subprogram: name strx2, low_pc addrx1, high_pc indirect
	.uleb128 0x03, 0x26, 0x11, ADDRX, 0x12, 0x16, 0, 0
	.uleb128 3, 0x2e; .byte 0                       # its abstract companion: name strx3, inline
	.uleb128 0x03, 0x27, 0x20, 0x0b, 0, 0
	.uleb128 4, 0x1d; .byte 0                       # inlined_subroutine: abstract_origin, ranges rnglistx, call_file, call_line implicit_const 99
	.uleb128 0x31, 0x13, 0x55, 0x23, 0x58, 0x0b, 0x59, 0x21; .sleb128 99; .uleb128 0, 0
	.byte 0
	.section .debug_info,"",@progbits
info:	.long infoend - infobody
infobody: .value 5; .byte 1, 8; .long abbrev
	.uleb128 1; .byte 0; .uleb128 1; .long strbase, addrbase, rngbase
	.uleb128 0; .long outerend - text, line; .byte 0x1d
inner:	.uleb128 3; .byte 3, 0, 0; .byte 3
	.uleb128 2; .value 2; .byte 0; .uleb128 0x0f; .uleb128 outerend - outer
	.uleb128 4; .long inner - info; .uleb128 1; .byte 0
	.byte 0, 0
infoend:
	.section .debug_str,"MS",@progbits,1
s0:	.string "outer.c"
s1:	.string "/src"
s2:	.string "outer"
s3:	.string "inner"
	.section .debug_str_offsets,"",@progbits
	.long 4 + 4*4; .value 5, 0
strbase: .long s0, s1, s2, s3
	.section .debug_addr,"",@progbits
	.long 4 + 4*8; .value 5; .byte 8, 0
addrbase: .quad text, in1, in2, in2end
	.section .debug_rnglists,"",@progbits
	.long rngend - rngbody
rngbody: .value 5; .byte 8, 0; .long 2
rngbase: .long list0 - rngbase, list1 - rngbase
list0:	.byte 0
list1:	.byte 3; .uleb128 1, in1end - in1               # startx_length
	.byte 2; .uleb128 2, 3                          # startx_endx
	.byte 1; .uleb128 0                             # base_addressx
	.byte 4; .uleb128 in3 - text, in3end - text     # offset_pair
	.byte 5; .quad in4                              # base_address
	.byte 4; .uleb128 0, in4end - in4
	.byte 6; .quad in5, in5end                      # start_end
	.byte 7; .quad in6; .uleb128 in6end - in6       # start_length
	.byte 0
rngend:
	.section .note.GNU-stack,"",@progbits
`;

it.each([
  ['DW_FORM_addrx', '0x1b'],
  ['DW_FORM_addrx1', '0x29'],
])('indexed strings, addresses by %s and range lists', (_, form) => {
  const path = buildElf(shop, 'indexed', ['-Wl,-e,outer', '-Wl,-Ttext=0x40101000'], [shop.write('indexed.s', SOURCE.replace('ADDRX', form))]);
  const file = loadSymbolFile(path);
  const size = file.symbolAt(file.entry)!.size;
  const addresses = Array.from({ length: size }, (_, i) => file.entry + BigInt(i));
  const ours = addresses.map((address) =>
    file
      .inlineChainAt(address)
      .map(({ name, shortFile, line }) => `${name} ${shortFile}:${line}`)
      .join(' < '),
  );
  const inner = (line: number) => `inner lib/inner.h:${line} < outer outer.c:99`;
  const outer = (line: number) => `outer outer.c:${line}`;
  expect(file.problems).toEqual([]);
  expect(ours).toEqual([
    outer(10), inner(20), inner(20), outer(11), inner(21), outer(12), inner(22), outer(13), inner(23), outer(14), inner(24), outer(15), inner(25), outer(16), outer(16),
  ]); // prettier-ignore
  expect(file.findFunction('inner')).toEqual([file.entry + 1n]);
  // addr2line 2.40 does not follow rnglistx, gdb 13 does, but refuses addrx1.
  if (form === '0x29') return;
  const text = gdb(path, [...addresses.map((address) => `break *0x${address.toString(16)}`), 'break inner', 'info breakpoints']);
  const inGdb = [...text.matchAll(/ in (\w+) at .*?(\w+\.[ch]:\d+)$/gm)].map(([, name, place]) => `${name} ${place}`);
  expect(inGdb).toEqual([...ours, inner(20)].map((chain) => chain.replace(/ < .*/, '').replace('lib/', '')));
});
