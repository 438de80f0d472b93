import { expect, test } from 'vitest';
import { gdbTables } from '../../src/gdbstub/docs.ts';

test('the generated tables have every packet, register and command', () => {
  const text = gdbTables();
  for (const part of ['| `vCont;action[:id]...` |', '| 16 | rip | 64 | `org.gnu.gdb.i386.core` |', '| `gva2gpa ADDR` |'])
    expect(text).toContain(part);
});
