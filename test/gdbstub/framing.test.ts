import { describe, expect, test } from 'vitest';
import { fitEscaped, frame, fromHex, parseBig, parseCount, unescape } from '../../src/gdbstub/wire/encoding.ts';
import { Framer } from '../../src/gdbstub/wire/framer.ts';
import { formatThreadId, parseThreadId } from '../../src/gdbstub/thread-id.ts';
import { TestClient, payloads } from './client.ts';
import { fakeTarget } from './fake-target.ts';

function events(input: string, limit = 1000): (string | undefined)[] {
  const framer = new Framer(limit);
  const bytes = Buffer.from(input, 'latin1');
  const out: string[] = [];
  for (let at = 0; at < bytes.length;) {
    const { event, next } = framer.next(bytes, at);
    at = next;
    if (event) out.push(event.kind === 'packet' ? `packet ${event.payload}` : event.kind);
  }
  return out;
}

describe('framer', () => {
  test.each([
    ['$g#67', ['packet g']],
    ['$#00', ['packet ']],
    ['+$g#67-', ['ack', 'packet g', 'nack']],
    ['\x03', ['interrupt']],
    ['garbage\r\n', []],
    ['$g#68', ['corrupt']],
    ['$g#6', []],
    ['$g#zz', ['corrupt']],
    ['$g#6G', ['corrupt']],
    ['$g#67$p0#a0', ['packet g', 'packet p0']],
    ['$lost$g#67', ['packet g']],
    ['$X}\x03#d8', ['packet X#']],
    ['$a\x03b#c6', ['packet a\x03b']],
    ['#67', []],
  ] as const)('%j', (input, expected) => {
    expect(events(input)).toEqual(expected);
  });

  test('a packet split at every byte', () => {
    const framer = new Framer(1000);
    const seen: string[] = [];
    for (const byte of Buffer.from('+$m1000,4#8e')) {
      const { event } = framer.next(Buffer.from([byte]), 0);
      if (event) seen.push(event.kind);
    }
    expect(seen).toEqual(['ack', 'packet']);
  });

  test('too long a packet is named, and the next one is read', () => {
    const long = frame('x'.repeat(2000)).toString('latin1');
    expect(events(`${long}$g#67`, 1000)).toEqual(['oversized', 'packet g']);
  });
});

describe('encoding', () => {
  test.each(['', 'OK', 'a#b', '}', '*$#}', '\0\xff'])('frame and unescape %j', (payload) => {
    expect(payloads(frame(payload))).toEqual([payload]);
    const wire = frame(payload).toString('latin1');
    expect(wire.slice(1, -3)).not.toMatch(/[#$*]/);
  });
  test('a lone escape at the end stays', () => expect(unescape(Buffer.from('ab}'))).toBe('ab}'));
  test.each([
    ['00ff', Buffer.from([0, 255])],
    ['', Buffer.alloc(0)],
    ['0', undefined],
    ['0g', undefined],
    ['00 1', undefined],
  ])('hex %j', (text, bytes) => expect(fromHex(text)).toEqual(bytes));
  test.each([
    ['0', 0n],
    ['ffffffffffffffff', 0xffff_ffff_ffff_ffffn],
    ['10000000000000000', undefined],
    ['', undefined],
    ['-1', undefined],
    ['0x1', undefined],
  ])('big %j', (text, value) => expect(parseBig(text)).toBe(value));
  test.each([
    ['10', 16],
    ['', undefined],
    ['1.5', undefined],
    ['12345678901234', undefined],
  ])('count %j', (text, value) => expect(parseCount(text)).toBe(value));
  test('fitEscaped counts the escapes', () => {
    expect(fitEscaped(Buffer.from('abc'), 3)).toBe(3);
    expect(fitEscaped(Buffer.from('a#c'), 3)).toBe(2);
    expect(fitEscaped(Buffer.from('###'), 3)).toBe(1);
  });
});

describe('thread ids', () => {
  test.each([
    ['p1.2', 2],
    ['2', 2],
    ['-1', 'all'],
    ['0', 'any'],
    ['p1.-1', 'all'],
    ['p1', 'all'],
    ['p0.0', 'any'],
    ['p-1.-1', 'all'],
    ['p2.1', undefined],
    ['p1.1.1', undefined],
    ['', undefined],
    ['p', undefined],
    ['x', undefined],
    ['123456789', undefined],
  ])('%j', (text, value) => expect(parseThreadId(text)).toBe(value));
  test('format', () => expect([formatThreadId(11, true), formatThreadId(11, false)]).toEqual(['p1.b', 'b']));
});

describe('acknowledgements', () => {
  test('ack and reply come in one piece', () => {
    expect(new TestClient(fakeTarget()).raw('$qC#b4').toString()).toMatch(/^\+\$QC1#/);
  });
  test('a bad checksum is answered with a nack', () => {
    expect(new TestClient(fakeTarget()).raw('$qC#00').toString()).toBe('-');
  });
  test('a nack repeats the reply, an ack forgets it', () => {
    const client = new TestClient(fakeTarget());
    const reply = client.raw('$qC#b4').subarray(1);
    expect(client.raw('-')).toEqual(reply);
    expect(client.raw('-')).toEqual(reply);
    expect(client.raw('+-').length).toBe(0);
  });
  test('QStartNoAckMode: OK is still acknowledged, then there are no acks', () => {
    const client = new TestClient(fakeTarget());
    expect(client.raw(frame('QStartNoAckMode')).toString()).toBe('+$OK#9a');
    expect(client.raw('+').length).toBe(0);
    expect(client.raw('$qC#b4').toString()).toBe('$QC1#c5');
    expect(client.raw('-').length).toBe(0);
    expect(payloads(client.raw('$qC#00'))).toEqual(['E16']);
  });
  test('an oversized packet is an error', () => {
    const client = new TestClient(fakeTarget());
    expect(client.all(`X1000,40000:${'a'.repeat(0x4_0000)}`)).toEqual(['E5a']);
    expect(client.ask('qC')).toBe('QC1');
  });
});
