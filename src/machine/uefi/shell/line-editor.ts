import type { FirmwareContext } from '../context.ts';
import { print } from '../console/output.ts';

const [INTERRUPT, BACKSPACE, ENTER] = [3, 8, 13];
const MAX_LINE = 1024;

/** Takes keys into the line being typed; the line when Enter was among them. Keys after it stay for whoever reads next. */
export function editLine(fw: FirmwareContext): string | undefined {
  const { shell, console } = fw.state;
  for (let key = console.keys.shift(); key; key = console.keys.shift()) {
    if (key.char === ENTER) {
      print(fw, '\r\n');
      return shell.line;
    }
    if (key.char === BACKSPACE && shell.line !== '') {
      shell.line = shell.line.slice(0, -1);
      print(fw, '\b \b');
    } else if (key.char === INTERRUPT) {
      print(fw, '^C\r\n');
      return '';
    } else if (key.char >= 0x20 && shell.line.length < MAX_LINE) {
      const c = String.fromCharCode(key.char);
      shell.line += c;
      print(fw, c);
    }
  }
  return undefined;
}
