import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runGdb } from '../support/gdb.ts';
import { program, Running, vmxscope, waitingMachine } from '../support/vmxscope.ts';
import { folder } from './files.ts';

const STACK = /^\s+at .+:\d+/m;

describe('addresses', () => {
  it('a busy port: said with what to do, status 1', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => other.once('listening', resolve));
    const { port } = other.address() as AddressInfo;
    const { status, stderr } = await vmxscope(['run', '--gdb', `tcp:127.0.0.1:${port}`]);
    other.close();
    expect(stderr).toMatch(new RegExp(`port ${port} on 127\\.0\\.0\\.1 is in use .*--gdb tcp:127\\.0\\.0\\.1:PORT`));
    expect(stderr).not.toMatch(STACK);
    expect(status).toBe(1);
  });

  it('tcp: the line to paste is printed on standard error and works', async () => {
    const running = await waitingMachine(['--serial', 'none']);
    const [, target] = await running.until(/attach with: gdb -ex '(target remote \S+)'/);
    const { output } = await runGdb([target!, 'break vmm_main', 'continue', 'monitor quit']);
    expect(output).toContain('vmm_main () at');
    expect((await running.ended).status).toBe(0);
    expect(running.stdout).toBe('');
  });

  it('unix: gdb attaches by path; the socket is gone afterwards', async () => {
    const path = join(folder(), 'gdb.sock');
    const running = new Running(['run', '-S', '--gdb', `unix:${path}`, '--serial', 'none']);
    const [, target] = await running.until(/attach with: gdb -ex '(target remote \S+)'/);
    const { output } = await runGdb([target!, 'break vmm_main', 'continue', 'bt', 'monitor quit']);
    expect(output).toMatch(/#0 +vmm_main/);
    expect((await running.ended).status).toBe(0);
    expect(existsSync(path)).toBe(false);
  });

  it('unix: a socket in use is not taken away', async () => {
    const path = join(folder(), 'gdb.sock');
    const first = new Running(['run', '-S', '--gdb', `unix:${path}`]);
    await first.until(/attach with/);
    const second = await vmxscope(['run', '--gdb', `unix:${path}`]);
    expect(second.stderr).toMatch(/is in use by another process/);
    expect(second.status).toBe(1);
    expect((await first.interrupt()).status).toBe(130);
  });

  it('stdio: gdb starts vmxscope itself, through a pipe', async () => {
    const { output } = await runGdb([
      `target remote | ${process.execPath} ${program} run -S --gdb stdio`,
      'break vmlaunch',
      'continue',
      'bt 2',
      'x/i $pc',
      'kill',
    ]);
    expect(output).toMatch(/#0 .*vt__vm_run_first[^]*=> .*vmlaunch/);
    expect(output).not.toMatch(STACK);
  });

  it('stdio: the end of the pipe ends the run', async () => {
    const { status, stderr } = await vmxscope(['run', '-S', '--gdb', 'stdio'], { input: '+$?#3f' });
    expect(stderr).toContain('the debugger closed its end');
    expect(status).toBe(0);
  });
});

/** Everything the other end says until it falls silent or closes. */
function exchange(port: string, bytes: Uint8Array | string, ms = 300): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const socket: Socket = connect(Number(port), '127.0.0.1', () => socket.write(bytes));
    socket.on('data', (d) => (text += d.toString('latin1')));
    socket.on('error', () => resolve(text));
    socket.on('close', () => resolve(text));
    setTimeout(() => socket.destroy(), ms);
  });
}

/** A fixed sequence of bytes that looks like noise (xorshift). */
function noise(length: number, seed: number): Uint8Array {
  let x = seed;
  return Uint8Array.from({ length }, () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return x & 0xff;
  });
}

const sum = (body: string): string => `$${body}#${([...body].reduce((n, c) => n + c.charCodeAt(0), 0) & 0xff).toString(16).padStart(2, '0')}`;

it('garbage on the port does not end the process, and gdb works afterwards', async () => {
  const running = await waitingMachine(['--serial', 'none', '--timeout', '100']);
  const garbage: readonly (Uint8Array | string)[] = [
    noise(100_000, 1),
    noise(5000, 77).map((b) => [0x24, 0x23, 0x7d, 0x2a, 3][b % 5]!),
    'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n',
    '$', // half a packet, then silence
    '$g#', // without its checksum
    '$g#00',
    `$${'A'.repeat(3_000_000)}`,
    sum('m0,ffffffffffffffff'),
    sum('mffffffffffffffff,8'),
    sum('M0,ffffffff:00'),
    sum('X0,7fffffff:'),
    sum('P1=zz'),
    sum('Z2,0,ffffffffffff'),
    sum('Z0,,'),
    sum('Hgffffffff'),
    sum('qXfer:features:read:target.xml:ffffffff,ffffffff'),
    sum('qXfer:exec-file:read::zz,zz'),
    sum('vFile:open:2e2e2f2e2e2f6574632f706173737764,0,0'), // ../../etc/passwd
    sum(`qRcmd,${Buffer.from('xp /999999999gx 0').toString('hex')}`),
    sum(`qRcmd,${'f'.repeat(4001)}`),
    sum('vCont;s:p1.ffff'),
    sum('vCont'),
    sum('!') + sum('vRun;') + sum('vAttach;zz'),
    '\x03\x03\x03',
  ];
  for (const bytes of garbage) {
    const reply = await exchange(running.port, bytes);
    expect(reply).not.toContain('root:'); // no file of the host is served
  }
  expect(running.child.exitCode, running.stderr).toBeNull();
  const { output } = await runGdb([`target remote :${running.port}`, 'break vmm_main', 'continue', 'monitor quit']);
  expect(output).toContain('vmm_main () at');
  const { status, stderr } = await running.ended;
  expect(status).toBe(0);
  expect(stderr).not.toMatch(/internal error/);
  expect(stderr).not.toMatch(STACK);
});

it('a debugger that dies leaves a machine for the next one', async () => {
  const running = await waitingMachine(['--serial', 'none', '--timeout', '100']);
  await exchange(running.port, `+${sum('vCont;c')}`, 500); // running when the connection breaks
  await running.until(/disconnected/);
  const { output } = await runGdb([`target remote :${running.port}`, 'p $pc', 'monitor quit']);
  expect(output).toMatch(/\$1 = /);
  expect((await running.ended).status).toBe(0);
});

it('SIGINT ends the run while gdb is attached', async () => {
  const running = await waitingMachine(['--serial', 'none']);
  let seen = false;
  const gdb = runGdb([`target remote :${running.port}`, 'printf "@on\\n"', 'continue'], {
    onOutput: (text) => {
      if (!seen && text.includes('@on')) setTimeout(() => running.child.kill('SIGINT'), 1000);
      seen ||= text.includes('@on');
    },
  });
  expect((await running.ended).status).toBe(130);
  expect((await gdb).output).toMatch(/Remote connection closed|closed/);
});
