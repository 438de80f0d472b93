import { bool, out64, pointer, text, uintn, u64 } from '../../call/arguments.ts';
import { service, type Service } from '../../call/service.ts';
import { clearScreen, COLUMNS, print, ROWS, setAttribute, setCursor, showCursor } from '../../console/output.ts';
import { Status } from '../../status.ts';

/** EFI_SIMPLE_TEXT_OUTPUT_PROTOCOL in the order of its members: UEFI 2.10, 12.4. ConOut and StdErr are one console. */
export const textOutput: readonly Service[] = [
  service('ConOut.Reset', [pointer('This'), bool('ExtendedVerification')], ({ fw }) => {
    setAttribute(fw, 7);
    clearScreen(fw);
    return Status.SUCCESS;
  }),
  service('ConOut.OutputString', [pointer('This'), text('String')], ({ fw }, _this, string) => {
    print(fw, string);
    return Status.SUCCESS;
  }),
  service('ConOut.TestString', [pointer('This'), text('String')], () => Status.SUCCESS),
  service('ConOut.QueryMode', [pointer('This'), uintn('ModeNumber'), out64('Columns'), out64('Rows')], (_call, _this, mode, columns, rows) => {
    if (mode !== 0) return Status.UNSUPPORTED;
    columns.set(COLUMNS);
    rows.set(ROWS);
    return Status.SUCCESS;
  }),
  service('ConOut.SetMode', [pointer('This'), uintn('ModeNumber')], ({ fw }, _this, mode) => {
    if (mode !== 0) return Status.UNSUPPORTED;
    clearScreen(fw);
    return Status.SUCCESS;
  }),
  service('ConOut.SetAttribute', [pointer('This'), u64('Attribute')], ({ fw }, _this, attribute) => {
    if (attribute > 0x7fn) return Status.UNSUPPORTED;
    setAttribute(fw, Number(attribute));
    return Status.SUCCESS;
  }),
  service('ConOut.ClearScreen', [pointer('This')], ({ fw }) => {
    clearScreen(fw);
    return Status.SUCCESS;
  }),
  service('ConOut.SetCursorPosition', [pointer('This'), uintn('Column'), uintn('Row')], ({ fw }, _this, column, row) => {
    if (column >= COLUMNS || row >= ROWS) return Status.UNSUPPORTED;
    setCursor(fw, column, row);
    return Status.SUCCESS;
  }),
  service('ConOut.EnableCursor', [pointer('This'), bool('Visible')], ({ fw }, _this, visible) => {
    showCursor(fw, visible);
    return Status.SUCCESS;
  }),
];
