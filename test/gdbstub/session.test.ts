import { describe, expect, test } from 'vitest';
import { findPacket, packetDocs } from '../../src/gdbstub/packets/index.ts';
import { textToHex } from '../../src/gdbstub/wire/encoding.ts';
import { Session } from '../../src/gdbstub/session.ts';
import type { Target } from '../../src/gdbstub/target.ts';
import { TestClient } from './client.ts';
import { fakeTarget } from './fake-target.ts';

const GDB13 = 'qSupported:multiprocess+;swbreak+;hwbreak+;qRelocInsn+;fork-events+;vContSupported+;xmlRegisters=i386';
const GDB16 = `${GDB13};error-message+;binary-upload+`;
const reg = (t: number, n: number): string => (t * 16 + n).toString(16).repeat(8);

/** Packet and reply, on a connection that began with gdb 13's qSupported. */
const replies: readonly (readonly [packet: string, reply: string])[] = [
  ['vMustReplyEmpty', ''],
  ['', ''],
  ['unknown', ''],
  ['qUnknown', ''],
  ['qXfer:auxv:read::0,1000', ''],
  ['vFile:unlink:2f', ''],
  ['?', `T0501:${reg(1, 1)};thread:p1.1;`],
  ['qC', 'QCp1.1'],
  ['qAttached', '1'],
  ['qAttached:1', '1'],
  ['qOffsets', ''],
  ['qTStatus', ''],
  ['qSymbol::', 'OK'],
  ['g', `${reg(1, 0)}${reg(1, 1)}${reg(1, 2)}${reg(1, 3)}`],
  ['p1', reg(1, 1)],
  ['p4', 'E16'],
  ['p', 'E16'],
  ['pzz', 'E16'],
  ['p0123456789abcdef', 'E16'],
  ['P0=0102030405060708', 'OK'],
  ['P3=0102030405060708', 'E.r3 is read-only'],
  ['P0=01020', 'E16'],
  ['P0', 'E16'],
  ['P=00', 'E16'],
  ['G00', 'E.wrong size'],
  ['Gxx', 'E16'],
  ['m1000,4', '00070e15'],
  ['m1000,0', ''],
  ['mfffe,10', 'f2f9'],
  ['m0,4', 'E0e'],
  ['m10000,1', 'E0e'],
  ['mffffffffffffffff,8', 'E0e'],
  ['m1000', 'E16'],
  ['m,', 'E16'],
  ['m-1,4', 'E16'],
  ['m11112222333344445,4', 'E16'],
  ['x1000,4', 'b\0\x07\x0e\x15'],
  ['x1000,0', 'b'],
  ['x0,4', 'E0e'],
  ['M1000,2:0102', 'OK'],
  ['M1000,2:01', 'E16'],
  ['M1000,2:0g02', 'E16'],
  ['M1000,2', 'E16'],
  ['Mffff,2:0102', 'E0e'],
  ['X1000,0:', 'OK'],
  ['X1000,3:#$}', 'OK'],
  ['X1000,3:ab', 'E16'],
  ['X0,1:a', 'E0e'],
  ['vCont?', 'vCont;c;C;s;S;t;r'],
  ['vCont', 'E16'],
  ['vCont;', 'E16'],
  ['vCont;q', 'E16'],
  ['vCont;s:p1.9', 'E16'],
  ['vCont;s:p2.1', 'E16'],
  ['vCont;r1000', 'E16'],
  ['vCont;t', `T0001:${reg(1, 1)};thread:p1.1;`],
  ['Z0,1000,1', 'OK'],
  ['Z1,1000,1', 'OK'],
  ['Z2,1000,4', 'OK'],
  ['Z3,1000,4', 'OK'],
  ['Z4,1000,4', 'OK'],
  ['Z5,1000,4', ''],
  ['Z0,1000', 'E16'],
  ['Z0,dead,1', 'E.no breakpoint there'],
  ['z0,1000,1', 'OK'],
  ['z9,1000,1', ''],
  ['zx', 'E16'],
  ['Hg0', 'OK'],
  ['Hgp1.2', 'OK'],
  ['Hgp1.3', 'E03'],
  ['Hgp2.1', 'E16'],
  ['Hc-1', 'OK'],
  ['Hx1', 'E16'],
  ['H', 'E16'],
  ['Tp1.2', 'OK'],
  ['Tp1.3', 'E03'],
  ['T', 'E16'],
  ['qfThreadInfo', 'mp1.1,p1.2'],
  ['qsThreadInfo', 'l'],
  ['qThreadExtraInfo,p1.2', textToHex('thread <2>')],
  ['qThreadExtraInfo,p1.7', 'E03'],
  ['qThreadExtraInfo,', 'E16'],
  ['qXfer:features:read:none.xml:0,100', 'E02'],
  ['qXfer:features:read:target.xml', 'E16'],
  ['qXfer:features:write:target.xml:0:ab', ''],
  ['qXfer:features:read:target.xml:fffffff,10', 'E16'],
  ['qXfer:exec-file:read:1:0,1000', 'l/prog'],
  ['qXfer:exec-file:read:1:1,2', 'mpr'],
  ['qXfer:memory-map:read:x:0,1000', 'E02'],
  ['vFile:setfs:0', 'F0'],
  [`vFile:open:${textToHex('/prog')},0,0`, 'F3'],
  [`vFile:open:${textToHex('/prog')},1,0`, 'F-1,d'],
  [`vFile:open:${textToHex('/etc/passwd')},0,0`, 'F-1,2'],
  ['vFile:open:zz,0,0', 'F-1,16'],
  ['vFile:open', 'F-1,16'],
  ['vFile:pread:3,10,0', 'F-1,9'],
  ['vFile:fstat:3', 'F-1,9'],
  ['vFile:close:3', 'F-1,9'],
  [`vFile:readlink:${textToHex('/prog')}`, 'F-1,16'],
  ['qRcmd,zz', 'E16'],
  ['qqemu.Supported', 'sstepbits;sstep;PhyMemMode'],
  ['qqemu.PhyMemMode', '0'],
  ['Qqemu.PhyMemMode:1', 'OK'],
  ['Qqemu.PhyMemMode:2', 'E.PhyMemMode is 0 or 1'],
  ['qqemu.sstepbits', 'ENABLE=1,NOIRQ=2'],
  ['qqemu.sstep', '0x1'],
  ['Qqemu.sstep=3', 'OK'],
  ['Qqemu.sstep=8', 'E.unknown single-step flags'],
  ['!', 'OK'],
  ['vKill;2', 'E03'],
  ['vAttach;7', 'E03'],
  ['c12345678901234567', 'E16'],
  ['C', 'E16'],
];

function gdb13(target: Target = fakeTarget()): TestClient {
  const client = new TestClient(target);
  client.ask(GDB13);
  return client;
}

describe('packets and their replies', () => {
  test.each(replies)('%s -> %s', (packet, reply) => {
    const client = gdb13();
    expect(client.ask(packet)).toBe(reply);
    expect(client.faults).toEqual([]);
    expect(client.takeActions()).toEqual([]);
  });

  test('every packet is tried here or below', () => {
    const below = [
      'qSupported',
      'QStartNoAckMode',
      'c',
      's',
      'S05',
      'vRun;',
      'R00',
      'D',
      'k',
      'qXfer:libraries:read::0,1',
      'qXfer:threads:read::0,1',
      'G',
    ];
    const tried = new Set([...replies.map(([p]) => p), ...below].map((p) => findPacket(p, fakeTarget())?.packet.doc));
    expect(packetDocs.filter((doc) => !tried.has(doc))).toEqual([]);
  });
});

describe('qSupported', () => {
  test('offers what the target has', () => {
    const features = gdb13().ask(GDB13).split(';');
    expect(features).toContain('PacketSize=10000');
    for (const f of ['qXfer:features:read+', 'qXfer:libraries:read+', 'qXfer:exec-file:read+', 'qXfer:memory-map:read+', 'qXfer:threads:read+'])
      expect(features).toContain(f);
    for (const f of ['multiprocess+', 'swbreak+', 'hwbreak+', 'vContSupported+', 'QStartNoAckMode+', 'binary-upload+']) expect(features).toContain(f);
    expect(features).not.toContain('error-message+');
  });

  test('offers no more than the target has', () => {
    const { threads, registers, release } = fakeTarget();
    const client = new TestClient({ threads, registers, release });
    const reply = client.ask('qSupported:swbreak+');
    expect(reply.split(';').sort()).toEqual([
      'PacketSize=10000',
      'QStartNoAckMode+',
      'qXfer:features:read+',
      'qXfer:threads:read+',
      'swbreak+',
      'vContSupported+',
    ]);
    for (const packet of [
      'm0,4',
      'x0,4',
      'M0,1:00',
      'X0,1:a',
      'Z0,0,1',
      'z0,0,1',
      'qRcmd,00',
      'qXfer:libraries:read::0,1',
      'vFile:setfs:0',
      '!',
      'vRun;',
      'qqemu.PhyMemMode',
    ]) {
      expect(client.ask(packet), packet).toBe('');
    }
  });

  test('thread ids have no process for a client without multiprocess', () => {
    const client = new TestClient(fakeTarget());
    client.ask('qSupported:xmlRegisters=i386');
    expect(client.ask('qfThreadInfo')).toBe('m1,2');
    expect(client.ask('?')).toContain('thread:1;');
  });

  test('error texts for a client that announced error-message', () => {
    const client = new TestClient(fakeTarget());
    expect(client.ask(GDB16)).toContain('error-message+');
    expect(client.ask('m0,4')).toBe('E.no memory at 0x0');
    expect(client.ask('p')).toBe('E.malformed packet');
  });
});

describe('execution', () => {
  const plans: readonly (readonly [packet: string, resume: object])[] = [
    ['c', { kind: 'continue', threads: 'all' }],
    ['s', { kind: 'step', thread: 1 }],
    ['C05', { kind: 'continue', threads: 'all' }],
    ['S05', { kind: 'step', thread: 1 }],
    ['vCont;c', { kind: 'continue', threads: 'all' }],
    ['vCont;c:p1.-1', { kind: 'continue', threads: 'all' }],
    ['vCont;C0b;c', { kind: 'continue', threads: 'all' }],
    ['vCont;c:p1.2', { kind: 'continue', threads: [2] }],
    ['vCont;t:p1.1;c', { kind: 'continue', threads: [2] }],
    ['vCont;s:p1.2;c:p1.-1', { kind: 'step', thread: 2 }],
    ['vCont;S00:2;c', { kind: 'step', thread: 2 }],
    ['vCont;r1000,1010:p1.1;c:p1.-1', { kind: 'range', thread: 1, start: 0x1000n, end: 0x1010n }],
  ];
  test.each(plans)('%s', (packet, resume) => {
    const client = gdb13();
    expect(client.all(packet)).toEqual([]);
    expect(client.takeActions()).toEqual([{ kind: 'resume', resume }]);
    expect(client.session.running).toBe(true);
    expect(client.stop({ kind: 'signal', thread: 2, signal: 5 })).toEqual([`T0501:${reg(2, 1)};thread:p1.2;`]);
    expect(client.ask('qC')).toBe('QCp1.2');
  });

  test('c and s with an address set the program counter', () => {
    const target = fakeTarget();
    const client = gdb13(target);
    client.ask('Hc2');
    client.all('s1234');
    expect(target.log).toEqual(['pc 2 1234']);
    expect(client.takeActions()).toEqual([{ kind: 'resume', resume: { kind: 'step', thread: 2 } }]);
  });

  const stops: readonly (readonly [Parameters<Session['stopped']>[0], string])[] = [
    [{ kind: 'breakpoint', thread: 1, hardware: false }, 'thread:p1.1;swbreak:;'],
    [{ kind: 'breakpoint', thread: 1, hardware: true }, 'thread:p1.1;hwbreak:;'],
    [{ kind: 'watchpoint', thread: 2, access: 'watch', address: 0x1234n }, 'thread:p1.2;watch:1234;'],
    [{ kind: 'watchpoint', thread: 1, access: 'rwatch', address: 0x1234n }, 'rwatch:1234;'],
    [{ kind: 'watchpoint', thread: 1, access: 'awatch', address: 0x1234n }, 'awatch:1234;'],
    [{ kind: 'library', thread: 1 }, 'library:;'],
    [{ kind: 'signal', thread: 1, signal: 11 }, 'T0b'],
    [{ kind: 'signal', thread: 1, signal: 2 }, 'T02'],
    [{ kind: 'exited', code: 0 }, 'W00;process:1'],
    [{ kind: 'exited', code: 0x1ff }, 'Wff;process:1'],
  ];
  test.each(stops)('stop reply of %o', (event, part) => {
    const client = gdb13();
    client.all('c');
    const [reply] = client.stop(event);
    expect(reply).toContain(part);
  });

  test('a client that announced neither swbreak nor hwbreak gets a plain trap', () => {
    const client = new TestClient(fakeTarget());
    client.ask('qSupported:multiprocess+');
    client.all('c');
    expect(client.stop({ kind: 'breakpoint', thread: 1, hardware: false })).toEqual([`T0501:${reg(1, 1)};thread:p1.1;`]);
  });

  test('? repeats the last stop, but a library event becomes a plain one', () => {
    const client = gdb13();
    client.all('c');
    client.stop({ kind: 'watchpoint', thread: 1, access: 'watch', address: 0x10n });
    expect(client.ask('?')).toContain('watch:10;');
    client.all('c');
    client.stop({ kind: 'library', thread: 1 });
    expect(client.ask('?')).toBe(`T0501:${reg(1, 1)};thread:p1.1;`);
  });

  test('a note is printed before the stop', () => {
    const client = gdb13();
    client.all('c');
    const [note, stop] = client.stop({ kind: 'signal', thread: 1, signal: 11, note: 'triple fault' });
    expect(note).toBe(`O${textToHex('triple fault\n')}`);
    expect(stop).toMatch(/^T0b/);
  });

  test('Ctrl-C interrupts a running machine and is ignored by a stopped one', () => {
    const client = gdb13();
    client.raw('\x03');
    expect(client.takeActions()).toEqual([]);
    client.all('c');
    client.takeActions();
    client.raw('\x03');
    expect(client.takeActions()).toEqual([{ kind: 'interrupt' }]);
  });

  test('a 0x03 inside a packet is data, even while running', () => {
    const client = gdb13();
    client.all('c');
    client.takeActions();
    expect(client.all('X1000,1:\x03')).toEqual([]);
    expect(client.takeActions()).toEqual([]);
    expect(client.stop({ kind: 'signal', thread: 1, signal: 5 })).toEqual([expect.stringMatching(/^T05/), 'OK']);
  });

  test('packets sent while running are answered in order after the stop', () => {
    const client = gdb13();
    client.all('vCont;s:p1.1');
    expect(client.all('qC')).toEqual([]);
    expect(client.all('vCont;s:p1.2')).toEqual([]);
    expect(client.all('p0')).toEqual([]);
    expect(client.stop({ kind: 'signal', thread: 1, signal: 5 })).toEqual([expect.stringMatching(/^T05/), 'QCp1.1']);
    expect(client.stop({ kind: 'signal', thread: 2, signal: 5 })).toEqual([expect.stringMatching(/^T05.*p1\.2/), reg(2, 0)]);
  });
});

describe('detach, kill, reset', () => {
  test.each([
    ['D', ['OK'], 'detach'],
    ['D;1', ['OK'], 'detach'],
    ['k', [], 'kill'],
    ['vKill;1', ['OK'], 'kill'],
  ] as const)('%s', (packet, reply, action) => {
    const target = fakeTarget();
    const client = gdb13(target);
    expect(client.all(packet)).toEqual(reply);
    expect(client.takeActions()).toEqual([{ kind: action }]);
    expect(target.log).toEqual(['release']);
    expect(client.all('g'), 'the session is over').toEqual([]);
  });

  test('extended mode: vRun and R reset the machine, D and vKill keep the connection', () => {
    const target = fakeTarget();
    const client = gdb13(target);
    client.ask('!');
    expect(client.ask('vRun;')).toMatch(/^T05/);
    expect(client.all('R00')).toEqual([]);
    expect(target.log).toEqual(['reset', 'reset']);
    expect(client.ask('D;1')).toBe('OK');
    expect(client.ask('vAttach;1')).toMatch(/^T05/);
    expect(client.ask('vKill;1')).toBe('OK');
    expect(client.ask('vRun;')).toMatch(/^T05/);
    expect(client.takeActions().map((a) => a.kind)).toEqual(['halt', 'halt', 'detach', 'halt', 'kill', 'halt']);
  });
});

describe('monitor', () => {
  test('output, then OK', () => {
    expect(gdb13().all(`qRcmd,${textToHex(' info x ')}`)).toEqual([`O${textToHex('1: info x\n')}`, 'OK']);
  });
  test('failure: the text, then an error', () => {
    expect(gdb13().all(`qRcmd,${textToHex('fail')}`)).toEqual([`O${textToHex('it failed\n')}`, 'E01']);
  });
  test('quit asks the driver', () => {
    const client = gdb13();
    expect(client.all(`qRcmd,${textToHex('quit')}`)).toEqual(['OK']);
    expect(client.takeActions()).toEqual([{ kind: 'quit' }]);
  });
  test('long output comes in pieces that fit', () => {
    const target = fakeTarget();
    const client = gdb13({ ...target, monitor: { execute: () => ({ text: 'é'.repeat(50_000) }), release: () => {} } });
    const parts = client.all(`qRcmd,${textToHex('x')}`);
    expect(parts.length).toBeGreaterThan(2);
    for (const part of parts) expect(part.length).toBeLessThanOrEqual(0x1_0000);
    const text = parts.slice(0, -1).map((p) => Buffer.from(p.slice(1), 'hex').toString('utf8')).join(''); // prettier-ignore
    expect(text).toBe(`${'é'.repeat(50_000)}\n`);
  });
});

describe('documents and files', () => {
  test('a document comes in pieces that join to the whole', () => {
    const target = fakeTarget();
    const client = gdb13(target);
    let text = '';
    for (let more = true; more;) {
      const piece = client.ask(`qXfer:features:read:target.xml:${text.length.toString(16)},7fff`);
      more = piece[0] === 'm';
      text += piece.slice(1);
    }
    expect(text).toBe(target.registers.description());
  });

  test('the library list: segments or sections, names escaped', () => {
    const target = fakeTarget();
    const client = gdb13(target);
    target.libraryList.push({ name: '/a&b', segments: [0x1000n, 0x2000n] }, { name: '/c', sections: [0xffff_ffff_8000_0000n] });
    const reply = client.ask('qXfer:libraries:read::0,1000');
    expect(reply).toContain('<library name="/a&#38;b"><segment address="0x1000"/><segment address="0x2000"/></library>');
    expect(reply).toContain('<library name="/c"><section address="0xffffffff80000000"/></library>');
    expect(client.session.state.readsLibraries).toBe(true);
  });

  test('threads with names', () => {
    expect(gdb13().ask('qXfer:threads:read::0,1000')).toContain('<thread id="p1.2" core="1" name="cpu1">thread &#60;2&#62;</thread>');
  });

  test('a file is opened, sized, read and closed', () => {
    const client = gdb13();
    expect(client.ask(`vFile:open:${textToHex('/prog')},0,0`)).toBe('F3');
    expect(client.ask(`vFile:open:${textToHex('/prog')},0,0`)).toBe('F4');
    expect(client.ask('vFile:pread:3,10,0')).toBe('F6;\x7fE#$*}');
    expect(client.ask('vFile:pread:3,2,1')).toBe('F2;E#');
    expect(client.ask('vFile:pread:3,10,6')).toBe('F0;');
    const stat = client.ask('vFile:fstat:3');
    expect(stat).toMatch(/^F40;/);
    expect(Buffer.from(stat.slice(4), 'latin1').readBigUInt64BE(28)).toBe(6n);
    expect(client.ask('vFile:close:3')).toBe('F0');
    expect(client.ask('vFile:pread:3,1,0')).toBe('F-1,9');
    expect(client.ask('vFile:pread:4,zz,0')).toBe('F-1,16');
  });

  test('open files are limited', () => {
    const client = gdb13();
    const open = `vFile:open:${textToHex('/prog')},0,0`;
    for (let n = 0; n < 64; n++) expect(client.ask(open)).toMatch(/^F[0-9a-f]+$/);
    expect(client.ask(open)).toBe('F-1,18');
  });
});

test('a fault of a handler is an error reply and is reported', () => {
  const target = fakeTarget();
  const client = gdb13({
    ...target,
    threads: {
      ...target.threads,
      count: () => {
        throw new Error('broken');
      },
    },
  });
  expect(client.ask('qfThreadInfo')).toBe('E16');
  expect(client.faults).toHaveLength(1);
  expect(client.ask('p0')).toBe(reg(1, 0));
});
