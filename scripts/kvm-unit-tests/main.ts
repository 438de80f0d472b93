// Runs built kvm-unit-tests and prints a table. It builds and fetches nothing:
//   npx tsx scripts/kvm-unit-tests/main.ts BUILD-FOLDER [--cpu MODEL] [--timeout SECONDS] [--logs FOLDER] [--program FILE] [NAME ...]
// BUILD-FOLDER is where `configure --arch=x86_64` (or i386) and `make` were run. NAMEs are sections of x86/unittests.cfg, groups
// with a colon before (:vmx), or nothing for all that are run by default.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { argumentsOf } from './arguments.ts';
import { environments, notRun } from './not-run.ts';
import { outcomeOf, type Outcome } from './outcome.ts';
import { parseUnitTests, type UnitTest } from './unittests.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    cpu: { type: 'string', default: 'skylake' },
    timeout: { type: 'string', default: '300' },
    logs: { type: 'string' },
    program: { type: 'string', default: fileURLToPath(new URL('../../bin/vmxscope.mjs', import.meta.url)) },
  },
});
const [folder, ...names] = positionals;
if (folder === undefined) throw new Error('give the folder in which kvm-unit-tests were built');
const config = ['x86/unittests.cfg', '../x86/unittests.cfg'].map((f) => join(folder, f)).find((f) => existsSync(f)) ?? sourceConfig(folder);
const arch = /^ARCH=(.*)$/m.exec(readFileSync(join(folder, 'config.mak'), 'utf8'))?.[1] ?? 'x86_64';
const scratch = mkdtempSync(join(tmpdir(), 'kvm-unit-tests-'));

/** A build outside the sources names them in its config.mak. */
function sourceConfig(build: string): string {
  const source = /^SRCDIR=(.*)$/m.exec(readFileSync(join(build, 'config.mak'), 'utf8'))?.[1] ?? '.';
  return join(realpathSync(source), 'x86/unittests.cfg');
}

const chosen = (test: UnitTest): boolean =>
  names.length === 0
    ? !test.groups.includes('nodefault') && !test.groups.includes('vmx')
    : names.some((n) => n === test.name || (n.startsWith(':') && test.groups.includes(n.slice(1))));

function run(test: UnitTest): Promise<{ readonly outcome: Outcome; readonly seconds: number }> {
  const kernel = join(folder!, 'x86', `${test.file}.flat`);
  const environment = environments[test.name];
  const args = argumentsOf(test, { kernel, model: values.cpu, seconds: Math.max(Number(values.timeout), test.timeout ?? 0) });
  if (environment) {
    const path = join(scratch, `${test.name}.env`);
    writeFileSync(path, `${environment.text}\n`);
    args.push('-initrd', path);
  }
  const started = process.hrtime.bigint();
  const child = spawn(process.execPath, [values.program, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('latin1').on('data', (text: string) => (output += text));
  return new Promise((resolve) => {
    child.on('close', (status) => {
      if (values.logs !== undefined) {
        mkdirSync(values.logs, { recursive: true });
        writeFileSync(join(values.logs, `${test.name}.log`), `${args.join(' ')}\n${output}`);
      }
      resolve({ outcome: outcomeOf(status, output), seconds: Number(process.hrtime.bigint() - started) / 1e9 });
    });
  });
}

const line = (...columns: readonly string[]): void => console.log(`| ${columns.join(' | ')} |`);
line('Test', 'Result', 'Pass', 'Fail', 'Skip', 'Seconds');
line('---', '---', '---', '---', '---', '---');
let bad = 0;
for (const test of parseUnitTests(readFileSync(config, 'utf8')).filter(chosen)) {
  if (test.arch !== undefined && test.arch !== arch) continue;
  const why = names.length === 0 ? notRun.find(([name]) => name.test(test.name))?.[1] : undefined;
  if (why !== undefined || !existsSync(join(folder, 'x86', `${test.file}.flat`))) {
    line(test.name, `not run: ${why ?? 'not built'}`, '', '', '', '');
    continue;
  }
  const { outcome, seconds } = await run(test);
  const { verdict, passed, failed, skipped, failures } = outcome;
  if (verdict !== 'clean' && verdict !== 'skipped') bad++;
  line(test.name, verdict, String(passed), String(failed), String(skipped), seconds.toFixed(1));
  for (const f of failures.slice(0, 10)) console.error(`  ${test.name}: FAIL: ${f}`);
}
process.exitCode = bad === 0 ? 0 : 1;
