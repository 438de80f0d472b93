import { Decoder, DecoderOptions, Formatter, FormatterSyntax } from 'iced-x86';
import { expect, test } from 'vitest';
import { Bench } from './harness.ts';

/** The hand-assembled bytes are what their comments say: disassembled by an independent decoder. */
const b = new Bench();

function disassemble(name: string): string[] {
  const at = b.fw.stub(name);
  const length = [...Array(256).keys()].find((n) => b.fw.serviceAt(at + n) !== name)!;
  const decoder = new Decoder(64, b.bytes(at, length), DecoderOptions.None);
  decoder.ip = BigInt(at);
  const formatter = new Formatter(FormatterSyntax.Intel);
  const out: string[] = [];
  while (decoder.canDecode) {
    const instruction = decoder.decode();
    const target = b.fw.serviceAt(Number(instruction.nearBranchTarget));
    const text = formatter.format(instruction);
    out.push(target === undefined || target === name ? text : `${text.split(' ')[0]} ${target}`);
  }
  return out;
}

const saved = ['rax', 'rcx', 'rdx', 'r8', 'r9', 'r10', 'r11'];
const eoi = ['mov ecx,0FEE000B0h', 'xor eax,eax', 'mov [rcx],eax'];

test.each<[string, string[]]>([
  [
    'timer interrupt',
    [
      ...saved.map((r) => `push ${r}`), 'push rbp', 'mov rbp,rsp', 'and rsp,0FFFFFFFFFFFFFFF0h', 'cld', ...eoi, 'call Tick', 'mov rsp,rbp', 'pop rbp',
      ...saved.toReversed().map((r) => `pop ${r}`), 'iretq',
    ], // prettier-ignore
  ],
  ['other interrupt', ['push rax', 'push rcx', ...eoi, 'pop rcx', 'pop rax', 'iretq']],
  ['stall halt', ['sti', 'hlt', 'jmp Stall.again']],
  ['idle WaitForEvent.again', ['sti', 'hlt', 'jmp WaitForEvent.again']],
  ['idle BootManager', ['sti', 'hlt', 'jmp BootManager']],
])('%s', (name, lines) => expect(disassemble(name)).toEqual(lines));

test('loops go back to their beginning', () => {
  const hex = (n: number): string => `${n.toString(16).toUpperCase().padStart(16, '0')}h`;
  expect(disassemble('halt')).toEqual(['cli', 'hlt', `jmp short ${hex(b.fw.stub('halt'))}`]);
  expect(disassemble('stall spin')).toEqual(['pause', 'dec r11', `jne short ${hex(b.fw.stub('stall spin'))}`, 'jmp Stall.again']);
});

test('the IDT: exceptions at their traps, the timer at 0x20, everything else acknowledged', () => {
  const gate = (vector: number): string | undefined => {
    const g = b.bytes(b.fw.layout.idt.base + vector * 16, 16);
    expect([g[2], g[3], g[5]]).toEqual([0x38, 0, 0x8e]);
    return b.fw.serviceAt(g[0]! + g[1]! * 256 + g[6]! * 65536 + g[7]! * 2 ** 24);
  };
  expect([0, 14, 31, 32, 33, 255].map(gate)).toEqual([
    'Exception.0',
    'Exception.14',
    'Exception.31',
    'timer interrupt',
    'other interrupt',
    'other interrupt',
  ]);
});
